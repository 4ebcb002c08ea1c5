package vault

import (
	"strings"

	"tikakosh/internal/fault"
)

// The bounds of an e-mail address in bytes (RFC 5321, 4.5.3.1).
const (
	maxEmail = 254
	maxLocal = 64
)

// ParseEmail takes an address as people write theirs and returns it with its
// domain in small letters. It knows plain ASCII addresses only: a dot-atom before
// the "@" and a domain of at least two labels after it; so nothing in it can end a
// line or begin another address of a message. fault.Invalid otherwise, without
// the value.
func ParseEmail(s string) (string, error) {
	bad := fault.New(fault.Invalid, "email", "an e-mail address is wanted, as name@example.org")
	local, domain, ok := strings.Cut(strings.TrimSpace(s), "@")
	domain = strings.ToLower(domain)
	if !ok || len(local) > maxLocal || len(local)+1+len(domain) > maxEmail || !atoms(local, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_{|}~-") {
		return "", bad
	}
	labels := strings.Split(domain, ".")
	for _, l := range labels {
		if !atoms(l, "abcdefghijklmnopqrstuvwxyz0123456789-") || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return "", bad
		}
	}
	if len(labels) < 2 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", bad
	}
	return local + "@" + domain, nil
}

// atoms reports whether s is runs of set joined by single dots.
func atoms(s, set string) bool {
	for one := range strings.SplitSeq(s, ".") {
		if one == "" || strings.Trim(one, set) != "" {
			return false
		}
	}
	return true
}
