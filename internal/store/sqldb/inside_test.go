package sqldb

import "testing"

func BenchmarkInsideUpdate(b *testing.B) {
	for b.Loop() {
		if insideUpdate() {
			b.Fatal("not inside")
		}
	}
}
