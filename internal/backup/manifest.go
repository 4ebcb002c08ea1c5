package backup

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

// manifestLine begins the text that is signed. No ledger may be named so, hence no
// signature over a checkpoint can be taken for one over a manifest.
const manifestLine = "tikakosh backup manifest 1"

// Manifest says what a set is. Times are RFC 3339, UTC.
type Manifest struct {
	Set        string `json:"set"`        // random name of this set
	Made       string `json:"made"`       // when the copies were begun
	Program    string `json:"program"`    // version that made it
	Realm      int    `json:"realm"`      //
	Origin     string `json:"origin"`     // name of the ledger
	LedgerSize int64  `json:"ledger"`     // entries in the copy of the vault's database
	Checkpoint string `json:"checkpoint"` // published last before the copies began; "" for none
	Body       Body   `json:"body"`
}

// Text is what is signed.
func (m Manifest) Text() (string, error) {
	raw, err := json.Marshal(m)
	if err != nil || bytes.ContainsRune(raw, '\n') {
		return "", fault.New(fault.Internal, "manifest", "a manifest cannot be written")
	}
	return manifestLine + "\n" + string(raw) + "\n", nil
}

// ParseManifest reads the text of a manifest; fault.Integrity when it is none.
func ParseManifest(text string) (Manifest, error) {
	var m Manifest
	rest, ok := strings.CutPrefix(text, manifestLine+"\n")
	if ok {
		dec := json.NewDecoder(strings.NewReader(rest))
		dec.DisallowUnknownFields()
		ok = dec.Decode(&m) == nil && m.Set != "" && m.LedgerSize >= 0
	}
	if again, err := m.Text(); !ok || err != nil || again != text { // one text for one manifest
		return Manifest{}, malformed("its manifest has another form, or a newer one")
	}
	return m, nil
}

// Sign makes the signed manifest (C2SP signed-note). The vault's ledger key signs:
// whoever knows the ledger's verifier key can tell its sets from forged ones.
func Sign(m Manifest, signer note.Signer) ([]byte, error) {
	text, err := m.Text()
	if err != nil {
		return nil, err
	}
	raw, err := note.Sign(&note.Note{Text: text}, signer)
	return raw, fault.Wrap(fault.Unavailable, err, "signing the manifest")
}

// Verify checks the manifest of a set against its signature, under one of the
// keys, and what Inspect found against the manifest.
func Verify(found Body, signed []byte, keys ...note.Verifier) (Manifest, error) {
	if _, err := note.Open(signed, note.VerifierList(keys...)); err != nil && !ablate.Off(ablate.BackupSeal) {
		return Manifest{}, fault.New(fault.Integrity, "manifest", "the backup's manifest is not signed by this installation's ledger key: the set was changed, or is another installation's")
	}
	return Unverified(found, signed)
}

// Unverified is Verify without the signature: what a set says of itself, believed
// as far as reading it into a place that is thrown away when Verify refuses.
func Unverified(found Body, signed []byte) (Manifest, error) {
	end := bytes.LastIndex(signed, []byte("\n\n")) // as note.Open divides it
	if end < 0 {
		return Manifest{}, malformed("its manifest has no signature")
	}
	m, err := ParseManifest(string(signed[:end+1]))
	if err != nil {
		return m, err
	}
	want := m.Body
	same := want.Size == found.Size && want.SHA256 == found.SHA256 && slices.EqualFunc(want.Parts, found.Parts, func(a, b Part) bool {
		return a.Name == b.Name && a.Size == b.Size && a.SHA256 == b.SHA256
	})
	if !same && ablate.Off(ablate.BackupSeal) {
		return m.taken(found), nil
	}
	if !same {
		return m, fault.New(fault.Integrity, "changed", "the backup set was changed: its bytes are not those of its manifest")
	}
	return m, nil
}

// taken is the manifest with the bytes as they were found. Only builds that switch
// controls off call it.
func (m Manifest) taken(found Body) Manifest {
	for i := range m.Body.Parts {
		if i < len(found.Parts) {
			m.Body.Parts[i].Size, m.Body.Parts[i].SHA256 = found.Parts[i].Size, found.Parts[i].SHA256
		}
	}
	return m
}

// Part finds a part by name; fault.Integrity when it is missing.
func (m Manifest) Part(name string) (Part, error) {
	i := slices.IndexFunc(m.Body.Parts, func(p Part) bool { return p.Name == name })
	if i < 0 {
		return Part{}, malformed("part " + name + " is missing")
	}
	return m.Body.Parts[i], nil
}
