package main

import (
	"os"
	"strings"
	"time"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
)

// against holds a genuine certificate against the list the user named. A list
// that cannot be read or is not the issuer's ends the check: nothing is said of
// the certificate, because what would be missing is whether it still stands.
func (c *certificateVerifyCmd) against(res certificate.Result, keys encode.KeySet) (certificate.Result, error) {
	var raw []byte
	var err error
	if strings.HasPrefix(c.Revocations, "http://") || strings.HasPrefix(c.Revocations, "https://") {
		raw, err = fetch(c.Revocations)
	} else {
		raw, err = os.ReadFile(c.Revocations)
	}
	if err != nil {
		return certificate.Result{Problem: encode.CodeList}, err
	}
	list, err := encode.ParseRevocations(raw, keys)
	if err != nil {
		return certificate.Result{Problem: encode.CodeList}, err
	}
	return res.Against(list, time.Now())
}
