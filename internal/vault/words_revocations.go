package vault

// MethodRevocations asks for the list of revoked certificates.
const MethodRevocations = "certificate.revocations"

// RevocationList is the signed list of revoked certificates (certificate/encode,
// ParseRevocations) and its number. It names nobody.
type RevocationList struct {
	Number int64
	List   []byte
}
