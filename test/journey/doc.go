// Package journey walks the whole main job through the real binary, as the
// people who use it do: sign in, register, book, be vaccinated, prove it, see
// who looked, and go on after any role was killed.
package journey
