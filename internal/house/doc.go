// Package house holds the tests that keep the house rules: who may import
// whom, the house numbers, and that every security control can be switched off
// in a test build, has an attack that shows it, and can never be switched off
// in a release. It has no code of its own.
package house
