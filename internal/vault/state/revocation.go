package state

// IssuedPage lists certificates made for a person, by the truncated SHA-256 of
// their identifiers, hex. Pages fill one after the other; page 0 says how many
// there are.
type IssuedPage struct {
	Pages int `json:",omitempty"`
	Ends  int `json:",omitempty"` // in page 0: how often all of the person's were taken back
	List  []IssuedCertificate
}

// IssuedCertificate is one certificate; Expires is the end of its validity in
// Unix milliseconds.
type IssuedCertificate struct {
	Hash    string
	Expires int64
}

// Revocation is a set of certificates taken back at once, by the hashes of
// their identifiers.
type Revocation struct {
	Hashes []string
	Reason string
	At     int64
}
