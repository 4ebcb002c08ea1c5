package keeper_test

import (
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// TestDoseLostARace: between the sealing of a dose and its storing another writer's part is
// stored on the same record. The same signed request, shown again with the newer record, is
// recorded: nobody was told a dose that is not there, and the vaccinator signs once.
func TestDoseLostARace(t *testing.T) {
	for name, reported := range map[string]bool{"committed": true, "stored only": false} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t, nil)
			late := c.write(c.vaccinator, c.without(nil))
			s := c.sign(c.vaccinator, doseURL, c.body(nil))
			record := func() (vault.DoseSealed, error) {
				return c.k.RecordDose(t.Context(), vault.DoseRequest{Signed: s, Person: c.person, Record: c.records(c.person)[0]})
			}
			first := must[vault.DoseSealed](t)(record())
			other := must[vault.Accepted](t)(c.handOver(late, c.person))
			c.store(other.Seal, reported)
			second := must[vault.DoseSealed](t)(record())
			if second.Seal.ID == first.Seal.ID || len(second.Seal.Parts) != 1 {
				t.Fatalf("seal %s of %d parts after seal %s", second.Seal.ID, len(second.Seal.Parts), first.Seal.ID)
			}
			c.store(second.Seal, true)
			third := must[vault.DoseSealed](t)(record())
			if len(third.Seal.Parts) != 0 || third.Hold != c.hold {
				t.Errorf("repeated once more: %d parts", len(third.Seal.Parts))
			}
			if got := c.events(c.holder, c.person); len(got) != 2 {
				t.Errorf("%d doses, of one with a code and one without", len(got))
			}
			c.audit()
		})
	}
	// The proof of a request that was refused is used up.
	c := newCentre(t, nil)
	s := c.sign(c.vaccinator, doseURL, c.body(map[string]any{"dose": 2}))
	for _, want := range []fault.Kind{fault.Invalid, fault.Unauthorized} {
		_, err := c.k.RecordDose(t.Context(), vault.DoseRequest{Signed: s, Person: c.person, Record: c.records(c.person)[0]})
		wantKind(t, err, want)
	}
}
