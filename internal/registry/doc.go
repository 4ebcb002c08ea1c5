// Package registry keeps people and households: it stores what the vault
// sealed, brings it back when the vault is to open it, and carries every
// change through its owners' buckets.
//
// The service holds no key and no contact data. Who a caller is, which people
// are theirs and what may be shown is the vault's answer; a person is known
// here by an opaque id. No method takes a mobile number, a name or an id
// number to search with, and none ever may.
//
// Each change touches more than one owner (person, household, reference
// number, vault), and no transaction spans two. A change is therefore a row of
// idempotent steps whose first stored step also stores a Note of what remains;
// a crash anywhere leaves either nothing, or a note that Relay carries out.
package registry
