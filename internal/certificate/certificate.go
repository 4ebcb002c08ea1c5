// Package certificate checks certificates for people and programs: it takes a
// file or a text as it was handed over and answers with the facts that were
// signed. What a certificate says and how it is signed is package encode's.
package certificate

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
)

// Result is the answer to one check.
type Result struct {
	Facts   encode.Verified // what was signed; zero unless Genuine
	Genuine bool            // the signature is right under a trusted key
	Problem string          // the code of the error, or ""
	FromPDF bool            // the text was taken out of a page's metadata
	Checked *Checked        // the revocation list it was held against, or nil
}

// Verify checks a certificate given as the bytes of a PDF page or as the HC1
// text (outer white space is ignored), against keys, at the instant now. Errors
// are those of encode.Verify, plus encode.CodeSize; an expired or not yet valid
// certificate gives an error together with its facts. The page itself is never
// read: visible text can be altered without touching the signature, so only
// Result.Facts may be relied on. Verify needs no network, keeps nothing, and is
// safe for concurrent use.
func Verify(input []byte, keys encode.KeySet, now time.Time) (Result, error) {
	if len(input) > encode.MaxPDF {
		err := fault.New(fault.Invalid, encode.CodeSize, "too large to be a certificate")
		return Result{Problem: err.Code}, err
	}
	var r Result
	text := string(input)
	if body := bytes.TrimLeft(input, " \t\r\n\ufeff"); bytes.HasPrefix(body, []byte("%PDF-")) {
		r.FromPDF = true
		var err error
		if text, err = encode.HC1FromPDF(body); err != nil {
			r.Problem = fault.CodeOf(err)
			return r, err
		}
	}
	v, err := encode.Verify(text, keys, now)
	r.Problem = fault.CodeOf(err)
	r.Genuine = err == nil || r.Problem == encode.CodeExpired || r.Problem == encode.CodeNotYet
	if r.Genuine {
		r.Facts = v
	}
	return r, err
}

// minute is how instants are shown: to the minute, because a day in UTC is not
// the day at the centre.
const minute = "2006-01-02 15:04 UTC"

// Lines renders the answer in English, one statement a line, for a terminal.
// The first line is the verdict.
func (r Result) Lines() []string {
	lines := []string{r.verdict()}
	if !r.Genuine {
		return append(lines, "Do not rely on anything it shows.")
	}
	lines = append(lines, r.revocationLine())
	if r.Problem == encode.CodeListOld || r.Problem == encode.CodeRevoked {
		lines = append(lines, "Do not rely on it.")
	}
	v := r.Facts
	add := func(label, value string) {
		if value != "" {
			lines = append(lines, fmt.Sprintf("%-15s %s", label, value))
		}
	}
	add("Name", v.Name)
	if v.NameLatin != v.Name {
		add("Latin letters", v.NameLatin)
	}
	add("Born", v.Birth)
	add("Gender", v.Gender)
	add("ID ends in", v.IDLast4)
	add("Guardian", v.Guardian)
	add("Vaccine", v.Product.Name)
	if !v.Product.Recognised {
		add("", "(the product has no code in the public value sets)")
	}
	add("Manufacturer", v.Product.Maker)
	add("Disease", v.Product.Disease)
	add("Dose", strconv.Itoa(v.Dose)+" of "+strconv.Itoa(v.Total))
	add("Given on", v.Given.String())
	if v.ValidFrom != (civil.Date{}) && v.ValidFrom != v.Given {
		add("Protects from", v.ValidFrom.String())
	}
	add("Batch", v.Lot)
	add("Vaccinated by", v.Vaccinator)
	add("Country", v.Country)
	add("Given in", v.GivenIn)
	add("Issuer", v.Issuer)
	add("Identifier", v.CI)
	add("View reference", v.ViewRef)
	add("Valid", v.IssuedAt.Format(minute)+" to "+v.ExpiresAt.Format(minute))
	add("Form and key", v.Carrier+", "+v.KID.String())
	if r.FromPDF {
		lines = append(lines, "Only these signed facts count. The printed page was not checked and may show something else.")
	} else {
		lines = append(lines, "Only these signed facts count. Compare the name and birth with the person's photo ID.")
	}
	return lines
}

func (r Result) verdict() string {
	switch r.Problem {
	case "":
		return "GENUINE: the signature is right and the certificate is valid."
	case encode.CodeExpired:
		return "EXPIRED: genuine, but no longer valid. A new one is free."
	case encode.CodeRevoked:
		return "REVOKED: genuine, but taken back by its issuer. If a dose still counts, the person can download the present one; if none does, there is none."
	case encode.CodeListOld:
		return "NOT DECIDED: the signature is right, but the revocation list is too old. Fetch a newer one."
	case encode.CodeNotYet:
		return "NOT YET VALID: genuine, but its validity has not begun."
	case encode.CodeUnknownKey:
		return "UNKNOWN ISSUER: signed with a key that is not in the key set."
	case encode.CodeSignature:
		return "NOT GENUINE: the signature does not match."
	}
	return "NOT A CERTIFICATE: the input cannot be read as one. It was changed or damaged, or is something else."
}
