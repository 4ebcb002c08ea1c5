//go:build ablation && release

package ablate

// A release build (tag release) with the ablation tag must not compile.
var _ int = "the ablation tag must never be in a release build"
