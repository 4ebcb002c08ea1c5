package state

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
)

//go:embed dictionary.txt
var dictionary string

// Field is one line of the data dictionary: a column or a document's field, how
// it is held, and the versions from and until which it is.
type Field struct{ Place, Name, Held, Since, Until string }

// Dictionary lists every field the installation keeps.
func Dictionary() []Field {
	var out []Field
	for line := range strings.Lines(dictionary) {
		p := strings.Split(line, "|")
		if strings.HasPrefix(line, "#") || len(p) != 5 {
			continue
		}
		for i := range p {
			p[i] = strings.TrimSpace(p[i])
		}
		for _, name := range strings.Fields(p[1]) {
			out = append(out, Field{p[0], name, p[2], p[3], p[4]})
		}
	}
	return out
}

// DictionaryText is the data dictionary as docs/DATA.md shows it.
func DictionaryText() string {
	var b strings.Builder
	place := ""
	for _, f := range Dictionary() {
		if f.Place != place {
			place = f.Place
			fmt.Fprintf(&b, "\n## %s\n\n| Field | Held | Since | Until |\n|---|---|---|---|\n", place)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.Name, f.Held, f.Since, f.Until)
	}
	return b.String()
}

// DictionaryDigest is the hex SHA-256 of DictionaryText; it goes onto the ledger.
func DictionaryDigest() string {
	sum := sha256.Sum256([]byte(DictionaryText()))
	return hex.EncodeToString(sum[:])
}
