// Package custody runs the binary with its keys in a token, in shares and in a
// transit service, and changes every key while requests run.
package custody
