// Checks a log in a folder by fsck of transparency-dev/tessera: FOLDER VKEY. Exit code 1 says that it is not right.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

func hashes(bundle []byte) ([][]byte, error) {
	entries := &api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var found [][]byte
	for _, entry := range entries.Entries {
		found = append(found, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return found, nil
}

func main() {
	flag.Parse()
	key, err := note.NewVerifier(flag.Arg(1))
	if err == nil {
		log := &client.FileFetcher{Root: flag.Arg(0)}
		err = fsck.New(key.Name(), key, log, hashes, fsck.Opts{N: 1}).Check(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
