// Package harness starts the real binary for tests and speaks to it from
// outside, as its users, its operator, a database administrator and an
// attacker do. It knows no code of the product, only the binary, its command
// line, its HTTP interface and the files of its data folder.
//
// It reaches nothing but loopback: every dial goes through a check of the
// address after resolution. People are synthetic and numbers begin with 0 to 5.
package harness
