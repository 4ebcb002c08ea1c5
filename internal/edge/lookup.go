//go:build !ablation

package edge

// lookupRoutes: there is no look-up of a person by a number (V3 of contract.md, I2).
func lookupRoutes() []Route { return nil }
