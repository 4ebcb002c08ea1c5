// Package ops tests what an operator sees of a running installation: the roles'
// logs, metrics, traces and health, against the real binary.
package ops
