// Package machine reads what an operator has to know of the machine that roles
// run on: its clock, its disks, its limits. It changes nothing.
package machine
