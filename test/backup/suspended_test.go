package backup

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestSuspended: after a restore behind the ledger no credential works until the
// operator confirms it, one that had ended cannot be confirmed, and everybody who
// was registered before sees the gap in their history.
func TestSuspended(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &builder, harness.Options{})
	dir := place(t)
	to, identity := ageKey(t, dir)
	for who, name := range map[string]string{"one": "Custodian One", "two": "Custodian Two"} {
		must(t, s, "staff", "enrol", "--data", s.Data, "--role", "custodian", "--name", name, "--out", filepath.Join(dir, who+".json"))
	}
	ended := strings.Fields(must(t, s, "staff", "enrol", "--data", s.Data, "--role", "vaccinator", "--centre", "700001", "--name", "Ended Test", "--out", filepath.Join(dir, "ended.json")))[2]
	partner := strings.Fields(must(t, s, "partner", "enrol", "--data", s.Data, "--name", "Partner Test", "--scope", "status", "--out", filepath.Join(dir, "partner.json")))[1]
	c, mobile := s.Holder()
	asha := c.Enrol("Asha Test")
	active := strings.Count(must(t, s, "staff", "list", "--data", s.Data), "\tactive\t")
	set := setOf(t, must(t, s, "backup", "--data", s.Data, "--to", dir, "--recipient", to))
	must(t, s, "staff", "disable", "--data", s.Data, "--staff="+ended)
	c.Enrol("Lost Test")
	time.Sleep(1500 * time.Millisecond)
	s.Stop()
	old := filepath.Join(dir, "old")
	if err := os.Rename(s.Data, old); err != nil {
		t.Fatal(err)
	}
	published := filepath.Join(old, "ledger")
	args := []string{"restore", "--from", set, "--data", s.Data, "--identity", identity, "--key-files", filepath.Join(old, "vault", "keys"), "--ledger", published}
	for _, who := range []string{"one", "two"} {
		out := filepath.Join(dir, who+".approval")
		must(t, s, "restore-approve", "--key", filepath.Join(dir, who+".json"), "--from", set, "--ledger", published, "--out", out)
		args = append(args, "--gap-approval", out)
	}
	must(t, s, args...)
	borrow(t, old, s.Data)
	s.Up()

	manager, vaccinator, day := s.StaffKey("manager"), s.StaffKey("vaccinator"), s.Today()
	if a := s.Client().OpenSession(manager, day); a.OK() {
		t.Errorf("a key that nobody confirmed works: %s", a.Text())
	}
	list := must(t, s, "staff", "list", "--data", s.Data, "--suspended")
	if n := strings.Count(list, "suspended"); n != active-1 || active < 5 || strings.Contains(list, ended) {
		t.Errorf("want all %d suspended but the one that had ended: %s", active, list)
	}
	if out := must(t, s, "partner", "list", "--data", s.Data); !strings.Contains(out, partner+"\tsuspended") {
		t.Errorf("partners: %s", out)
	}
	refused(t, s, "no such credential is suspended", "staff", "confirm", "--data", s.Data, "--staff="+ended)
	must(t, s, "staff", "confirm", "--data", s.Data, "--staff="+manager.Staff, "--staff="+vaccinator.Staff)
	refused(t, s, "no such credential is suspended", "staff", "confirm", "--data", s.Data, "--staff="+manager.Staff)
	must(t, s, "staff", "confirm", "--data", s.Data, "--partner="+partner)
	if out := must(t, s, "partner", "list", "--data", s.Data); !strings.Contains(out, partner+"\tactive") {
		t.Errorf("partners: %s", out)
	}
	c = c.SignIn(mobile)
	s.Vaccinate(c, mobile, asha)
	gaps := func(c *harness.Client) (out []harness.Opening) {
		for _, o := range c.Openings() {
			if o.Kind == "gap" {
				out = append(out, o)
			}
		}
		return out
	}
	found := gaps(c)
	if len(found) != 1 || found[0].Lost.First == 0 || found[0].Lost.Last < found[0].Lost.First || found[0].Index != found[0].Lost.Last+2 || !strings.Contains(found[0].Reason, "were lost in a restore") {
		t.Errorf("the gap in the history of who was there before: %+v", found)
	}
	if a := c.Must(http.MethodGet, "/v3/openings?limit=200", nil, "Accept-Language", "hi"); !strings.Contains(string(a.Body), "संरक्षकों") {
		t.Errorf("not in Hindi: %s", a.Text())
	}
	later, _ := s.Holder()
	later.Enrol("Later Test")
	if got := gaps(later); len(got) != 0 {
		t.Errorf("a gap of before they were registered: %+v", got)
	}
	time.Sleep(1500 * time.Millisecond)
	must(t, s, "ledger", "audit", "--data", s.Data)
}
