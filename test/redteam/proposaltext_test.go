package redteam

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestS28AnotherText plays a captured web role between two administrators: the second one
// is shown a harmless proposal under the id of another. Their client signs the id that it
// was told, and the digest of the text that it showed.
func TestS28AnotherText(t *testing.T) {
	t.Parallel()
	swapped := func(t *testing.T, s *harness.Server) (bool, string) {
		a, b, c := s.Administrators()
		harmless := a.Must(a.Fresh("invitations", map[string]any{"name": "Harmless Test", "grant": "auditor@national"})).Field("proposal_id")
		text := b.ProposalText(harmless)
		if !strings.Contains(text, "Harmless Test") {
			t.Fatalf("the text of an invitation: %s", text)
		}
		read := sha256.Sum256([]byte(text))
		taken := 0
		var last harness.Answer
		wanted := []harness.Answer{
			a.Must(a.Fresh("grants", map[string]any{"member_id": c.Member, "grant": "custodian@national"})),
			a.Must(a.Fresh("changes", map[string]any{"kind": "budgets", "budgets": map[string]int{"base": 400, "centre": 5000}})),
			a.Must(a.Fresh("changes", map[string]any{"kind": "roster-mode", "center_id": s.StaffKey("manager").Centre, "on": true})),
		}
		for _, p := range wanted {
			last = b.Fresh("approve", map[string]any{"proposal_id": p.Field("proposal_id"), "text_sha256": hex.EncodeToString(read[:])})
			if last.OK() {
				taken++
			}
		}
		if !s.Ablated() { // who read what they approve does
			for _, p := range wanted {
				b.Must(b.Fresh("approve", b.Approval(p.Field("proposal_id"))))
			}
		}
		return taken > 0, fmt.Sprintf("%d of %d approved by who read another one; the last answer: %d", taken, len(wanted), last.Status)
	}
	run(t, "S28", trial{own: true, try: swapped})
}
