// Package redteam attacks the real binary over loopback and with the files of
// its data folder. Each attack of docs/redteam.json runs twice: against the
// binary as it is released, where it must fail, and against a test build with
// the control it is about switched off, where it must succeed. An attack that
// does not succeed without its control proves nothing and fails its test.
package redteam
