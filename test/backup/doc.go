// Package backup makes backup sets of a running installation through the real
// binary, restores them, and looks whether everything is there again.
package backup
