package ledger_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"tikakosh/internal/ledger"
)

// BenchmarkIntegrate measures catching up with a database that is ahead, in
// full batches; leaves are made beforehand.
func BenchmarkIntegrate(b *testing.B) {
	r := &rows{}
	r.add(b.N)
	signer, _, err := ledger.NoteKeys(origin, testKey)
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), ledger.Options{Dir: b.TempDir(), Signer: signer, Logger: slog.New(slog.DiscardHandler)}, r)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if err := l.Integrate(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}

// BenchmarkVerify measures the verification of files alone.
func BenchmarkVerify(b *testing.B) {
	r := &rows{}
	r.add(b.N)
	dir := b.TempDir()
	l, vkey, err := open(b, dir, r)
	must(b, err)
	must(b, l.Integrate(b.Context(), r))
	must(b, l.Close(context.Background()))
	b.ResetTimer()
	start := time.Now()
	if _, err := ledger.Verify(b.Context(), dir, vkey); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "leaves/s")
}
