// Package demo tries what the README promises of `tikakosh demo`: the whole main
// job, at the hours of the Indian day where a demo could go wrong, and the
// README's script itself.
package demo
