package custody

import (
	"net/url"
	"strings"

	"tikakosh/internal/fault"
)

// The kinds of custody that --keys names.
const (
	KindFile    = "file"
	KindPKCS11  = "pkcs11"
	KindTransit = "transit"
	KindShares  = "shares"
)

// Kind reads which custody a --keys text names; fault.Invalid for any other.
func Kind(text string) (string, error) {
	kind, _, _ := strings.Cut(text, ":")
	switch {
	case text == KindFile, text == KindShares, kind == KindPKCS11, kind == KindTransit:
		return kind, nil
	}
	return "", fault.New(fault.Invalid, "keys", "--keys takes file, shares, pkcs11:… or transit:…")
}

// PKCS11 names a token and how it is reached, as a PKCS #11 URI (RFC 7512) says
// it: pkcs11:token=LABEL;object=PREFIX?module-path=FILE&pin-source=FILE.
type PKCS11 struct {
	Token     string // label of the token
	Serial    string // or its serial number
	Object    string // prefix of the labels of our keys; "tikakosh" when not given
	Module    string // path of the maker's library
	PINSource string // file that holds the user PIN; "" asks elsewhere
}

// ParsePKCS11 reads such a URI. It refuses a pin-value: a command line can be
// read by every user of a machine. fault.Invalid says what is wrong.
func ParsePKCS11(text string) (PKCS11, error) {
	bad := func(format string, a ...any) (PKCS11, error) {
		return PKCS11{}, fault.Newf(fault.Invalid, "keys", "--keys pkcs11: "+format, a...)
	}
	rest, ok := strings.CutPrefix(text, KindPKCS11+":")
	if !ok || len(text) > 4096 {
		return bad("not a PKCS #11 URI")
	}
	path, query, _ := strings.Cut(rest, "?")
	p := PKCS11{Object: "tikakosh"}
	fields := map[string]*string{"token": &p.Token, "serial": &p.Serial, "object": &p.Object,
		"module-path": &p.Module, "pin-source": &p.PINSource}
	seen := map[string]bool{}
	for _, part := range append(strings.Split(path, ";"), strings.Split(query, "&")...) {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if name == "pin-value" {
			return bad("a PIN does not belong on a command line: pin-source names a file")
		}
		into, known := fields[name]
		if !known || seen[name] {
			return bad("%q is not understood or stands there twice", name)
		}
		seen[name] = true
		text, err := url.PathUnescape(value)
		if err != nil || text == "" || strings.ContainsRune(text, 0) {
			return bad("%s has no readable value", name)
		}
		*into = text
	}
	p.PINSource = strings.TrimPrefix(p.PINSource, "file:")
	if p.Token == "" && p.Serial == "" {
		return bad("token=LABEL is missing")
	}
	if p.Module == "" {
		return bad("module-path=FILE is missing (for SoftHSM2: /usr/lib/softhsm/libsofthsm2.so)")
	}
	return p, nil
}
