// Package independent holds a client that knows the public contract and nothing
// else of this repository, and the test that runs it.
package independent
