// Verifies attestation reports with github.com/google/go-sev-guest, and compares them with a config as its `check` tool
// does: a line of JSON in, a line of JSON out.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/go-sev-guest/abi"
	cpb "github.com/google/go-sev-guest/proto/check"
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
	"google.golang.org/protobuf/encoding/prototext"
)

// A question is a report, its certificates in DER, and what is trusted; []byte is base64.
type question struct {
	Product string            `json:"product"` // the product line of the trusted roots
	Now     int64             `json:"now"`     // seconds since 1970
	Report  []byte            `json:"report"`
	VCEK    []byte            `json:"vcek"`
	VLEK    []byte            `json:"vlek"`
	Middle  []byte            `json:"middle"` // trusted: the ASK or ASVK
	ARK     []byte            `json:"ark"`    // trusted
	Served  map[string][]byte `json:"served"` // what the key distribution service has; if there is any, nothing else is given
	Config  *string           `json:"config"` // a check.Config in text that the report has to fulfil, too
}

type answer struct {
	Error string `json:"error"`
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
		var said answer
		if err := check(asked); err != nil {
			said.Error = err.Error()
		}
		encoded, _ := json.Marshal(said)
		out.Write(append(encoded, '\n'))
	}
}

func check(asked question) error {
	root := trust.AMDRootCertsProduct(asked.Product)
	if err := root.Decode(asked.Middle, asked.ARK); err != nil {
		return err
	}
	options := &verify.Options{
		Now:          time.Unix(asked.Now, 0),
		Getter:       service(asked.Served),
		TrustedRoots: map[string][]*trust.AMDRootCerts{asked.Product: {root}},
	}
	if len(asked.Served) > 0 {
		trust.ClearProductCertCache()
		return verify.RawSnpReport(asked.Report, options)
	}
	report, err := abi.ReportToProto(asked.Report)
	if err != nil {
		return err
	}
	options.DisableCertFetching = true
	attestation := &spb.Attestation{
		Report: report,
		CertificateChain: &spb.CertificateChain{
			VcekCert: asked.VCEK,
			VlekCert: asked.VLEK,
			AskCert:  asked.Middle,
			ArkCert:  asked.ARK,
		},
	}
	if err := verify.SnpAttestation(attestation, options); err != nil || asked.Config == nil {
		return err
	}
	return fulfils(attestation, *asked.Config)
}

func fulfils(attestation *spb.Attestation, text string) error {
	config := &cpb.Config{}
	if err := prototext.Unmarshal([]byte(text), config); err != nil {
		return err
	}
	options, err := validate.PolicyToOptions(config.GetPolicy())
	if err != nil {
		return err
	}
	return validate.SnpAttestation(attestation, options)
}

// A key distribution service by URL.
type service map[string][]byte

func (s service) Get(url string) ([]byte, error) {
	if found, ok := s[url]; ok {
		return found, nil
	}
	return nil, errors.New("not served: " + url)
}
