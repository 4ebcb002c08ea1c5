package keeper

import "tikakosh/internal/id"

// revocation is the ledger entry that makes void every certificate the person
// was given before it. Which those are the ledger knows: the openings of the
// certificate's view, whose view references are in the certificates' ids.
const revocation = "revocation"

// revokeCertificates makes the person's certificates void.
func (t *txn) revokeCertificates(person id.Person, house id.Household, reason string) error {
	t.append(entry{Kind: revocation, Person: person, House: house, View: viewCertificate, Role: "system", Reason: reason})
	return nil
}
