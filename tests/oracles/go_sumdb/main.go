// Answers questions about notes and logs with only golang.org/x/mod/sumdb: a line of JSON in, a line of JSON out.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	treePrefix = "go.sum database tree\n"
)

// A question has the fields that its op reads; []byte is base64.
type question struct {
	Op      string   `json:"op"`
	Note    []byte   `json:"note"`
	Keys    []string `json:"keys"`
	Secret  string   `json:"secret"`
	Text    string   `json:"text"`
	Hashes  [][]byte `json:"hashes"`
	Size    int64    `json:"size"`
	Root    []byte   `json:"root"`
	Index   int64    `json:"index"`
	Leaf    []byte   `json:"leaf"`
	OldSize int64    `json:"old_size"`
	OldRoot []byte   `json:"old_root"`
	Leaves  [][]byte `json:"leaves"`
	Folder  string   `json:"folder"`
}

type answer struct {
	Error   string            `json:"error"`
	Text    string            `json:"text"`
	Signers []string          `json:"signers"`
	Note    []byte            `json:"note"`
	Size    int64             `json:"size"`
	Root    []byte            `json:"root"`
	Hashes  [][]byte          `json:"hashes"`
	Tiles   map[string][]byte `json:"tiles"`
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var asked question
		if err == nil {
			err = json.Unmarshal(line, &asked)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			out.Flush()
			os.Exit(2)
		}
		said, err := reply(asked)
		if err != nil {
			said = answer{Error: err.Error()}
		}
		encoded, _ := json.Marshal(said)
		out.Write(append(encoded, '\n'))
	}
}

func reply(asked question) (answer, error) {
	switch asked.Op {
	case "open":
		return openNote(asked)
	case "sign":
		return signNote(asked)
	case "inclusion":
		return answer{}, checkInclusion(asked)
	case "consistency":
		return answer{}, checkConsistency(asked)
	case "prove-inclusion", "prove-consistency":
		return prove(asked, newLog(asked.Leaves))
	case "tiles":
		return tiles(asked)
	case "read-tiles":
		return prove(asked, tlog.TileHashReader(tlog.Tree{N: asked.Size, Hash: hash(asked.Root)}, folder(asked.Folder)))
	}
	return answer{}, errors.New("no such op: " + asked.Op)
}

// openNote opens a note and the checkpoint in it: tlog parses those of one log only, so the origin is replaced.
func openNote(asked question) (answer, error) {
	var known []note.Verifier
	for _, key := range asked.Keys {
		verifier, err := newVerifier(key)
		if err != nil {
			return answer{}, err
		}
		known = append(known, verifier)
	}
	opened, err := note.Open(asked.Note, note.VerifierList(known...))
	if err != nil {
		return answer{}, err
	}
	said := answer{Text: opened.Text}
	for _, signature := range opened.Sigs {
		said.Signers = append(said.Signers, signature.Name)
	}
	tree, err := tlog.ParseTree([]byte(treePrefix + opened.Text[strings.Index(opened.Text, "\n")+1:]))
	if err == nil {
		said.Size, said.Root = tree.N, tree.Hash[:]
	}
	return said, err
}

// newVerifier accepts the keys that note accepts, and Ed25519 cosignature keys, for which note has no verifier.
func newVerifier(key string) (note.Verifier, error) {
	parts := strings.SplitN(key, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(parts) != 3 || len(raw) != 33 || raw[0] != 0x04 {
		return note.NewVerifier(key)
	}
	var id uint32
	if _, err := fmt.Sscanf(parts[1], "%08x", &id); err != nil {
		return nil, err
	}
	return &cosigner{parts[0], id, raw[1:]}, nil
}

type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.id }

// Verify implements C2SP tlog-cosignature.
func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(signature))
	return ed25519.Verify(c.key, append([]byte(head), text...), signature[8:])
}

func signNote(asked question) (answer, error) {
	signer, err := note.NewSigner(asked.Secret)
	if err != nil {
		return answer{}, err
	}
	text := asked.Text
	if len(asked.Leaves) > 0 { // the text is an origin, under which the head of this log is signed
		size := int64(len(asked.Leaves))
		root, err := tlog.TreeHash(size, newLog(asked.Leaves))
		if err != nil {
			return answer{}, err
		}
		head := tlog.FormatTree(tlog.Tree{N: size, Hash: root})
		text += string(bytes.TrimPrefix(head, []byte(strings.TrimSuffix(treePrefix, "\n"))))
	}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	return answer{Note: signed}, err
}

func checkInclusion(asked question) error {
	proof, err := hashes(asked.Hashes, asked.Root)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, asked.Size, hash(asked.Root), asked.Index, tlog.RecordHash(asked.Leaf))
}

func checkConsistency(asked question) error {
	proof, err := hashes(asked.Hashes, asked.Root, asked.OldRoot)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, asked.Size, hash(asked.Root), asked.OldSize, hash(asked.OldRoot))
}

// prove returns the root of the first leaves of a log, and the proof of the op for that size.
func prove(asked question, log tlog.HashReader) (said answer, err error) {
	root, err := tlog.TreeHash(asked.Size, log)
	if err != nil {
		return answer{}, err
	}
	said = answer{Size: asked.Size, Root: root[:], Hashes: [][]byte{}}
	var proof []tlog.Hash
	if asked.Op == "prove-consistency" {
		proof, err = tlog.ProveTree(asked.Size, asked.OldSize, log)
	} else {
		proof, err = tlog.ProveRecord(asked.Size, asked.Index, log)
	}
	for n := range proof {
		said.Hashes = append(said.Hashes, proof[n][:])
	}
	return said, err
}

// tiles writes the tiles of a log that grows from its first OldSize leaves.
func tiles(asked question) (answer, error) {
	said := answer{Tiles: map[string][]byte{}}
	log := newLog(asked.Leaves)
	for _, tile := range tlog.NewTiles(tileHeight, asked.OldSize, int64(len(asked.Leaves))) {
		data, err := tlog.ReadTileData(tile, log)
		if err != nil {
			return answer{}, err
		}
		said.Tiles[tilePath(tile)] = data
	}
	return said, nil
}

// tilePath is the path of C2SP tlog-tiles, which has a fixed height of 8 and does not name it.
func tilePath(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
}

// A reader of the tiles in the folder of a log.
type folder string

func (f folder) Height() int                             { return tileHeight }
func (f folder) SaveTiles(tiles []tlog.Tile, _ [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), tilePath(tile)))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

// newLog returns the hashes that a log stores.
func newLog(leaves [][]byte) tlog.HashReader {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, errors.New("the log does not have that many leaves")
			}
			found = append(found, stored[index])
		}
		return found, nil
	})
	for n, leaf := range leaves {
		more, err := tlog.StoredHashes(int64(n), leaf, read)
		if err != nil {
			panic(err)
		}
		stored = append(stored, more...)
	}
	return read
}

// hashes converts the hashes of a proof; each has to be complete, as tlog's have a fixed size.
func hashes(proof [][]byte, others ...[]byte) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, value := range append(append([][]byte{}, proof...), others...) {
		if len(value) != tlog.HashSize {
			return nil, errors.New("a hash has another size")
		}
		found = append(found, hash(value))
	}
	return found[:len(proof)], nil
}

func hash(value []byte) (found tlog.Hash) {
	copy(found[:], value)
	return found
}
