// Package vault holds the public words of the vault: what other roles may ask
// of it, what evidence they bring, and what it answers. It holds no keys.
//
// The vault releases a view (the least set of fields for a purpose), never a
// record, and only on evidence it verifies itself: a bearer it signed after a
// one-time code it sent, or a request signed by an enrolled staff key together
// with a booking code it made. The caller's word (web's, worker's) is never
// evidence. Every release is a durable ledger entry before the plaintext
// leaves; the answer carries the receipt and a view reference.
//
// Sealed parts live in the registry database, which the vault cannot reach:
// the caller reads them and brings them along as a Record; the vault checks
// them against the head it keeps and refuses what does not match.
package vault
