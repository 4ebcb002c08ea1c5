package encode

import "tikakosh/internal/fault"

// The machine codes of this package's faults; all are fault.Invalid.
const (
	// CodeFacts: the facts cannot be stated (an empty name, no dose, …).
	CodeFacts = "certificate_facts"
	// CodeMalformed: the text is no certificate of this program's spelling.
	CodeMalformed = "certificate_malformed"
	// CodeUnknownKey: well formed, but signed under a key not in the key set.
	CodeUnknownKey = "certificate_unknown_key"
	// CodeSignature: the key is known and the signature does not match.
	CodeSignature = "certificate_signature"
	// CodeExpired: genuine, but its validity has ended.
	CodeExpired = "certificate_expired"
	// CodeNotYet: genuine, but its validity has not begun.
	CodeNotYet = "certificate_not_yet"
	// CodeKeySet: a key set file cannot be read.
	CodeKeySet = "certificate_keyset"
	// CodeSize: a text or file is larger than any certificate.
	CodeSize = "certificate_size"
	// CodeRevoked: genuine, but its issuer took it back.
	CodeRevoked = "certificate_revoked"
	// CodeList: a revocation list cannot be read.
	CodeList = "revocation_list"
	// CodeListOld: a revocation list is too old, or from the future, to rely on.
	CodeListOld = "revocation_list_old"
)

func malformed(what string) error {
	return fault.New(fault.Invalid, CodeMalformed, "not a certificate: "+what)
}
