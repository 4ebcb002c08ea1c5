// Package rolelog keeps the roles' logs: for each role, lines in files that are
// turned by day and size and deleted after a time. The supervisor writes them,
// from a pipe that is the role's standard error: a role that was captured can
// say what it wants from then on, but cannot change or delete what it said.
//
// Every line begins with its number in the role's log. Every few minutes a
// statement lists the files that changed, each with its length and SHA-256, and
// the statement before; the vault signs it and puts its digest on the ledger.
// So a line or a file that is changed or missing is noticed, here and in an
// export: what was written since the newest statement excepted.
package rolelog

// LostLines is the message of the line that is written when lines were lost, such as
// to a full disk.
const LostLines = "log lines were lost"
