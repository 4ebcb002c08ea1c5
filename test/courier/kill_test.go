package courier

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"tikakosh/test/harness"
)

// over starts the demo over gateways in this process.
func over(t *testing.T, gateways ...*harness.SMSC) *harness.Server {
	t.Helper()
	return harness.StartOver(t, &builder, harness.Options{Args: []string{"--no-limits"}}, harness.RoutesFile(t, t.TempDir(), nil, gateways...), gateways...)
}

// await waits until something holds, at most for d.
func await(d time.Duration, holds func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(20 * time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// burst asks for a code for n new numbers, 50 at a time, and calls mid when a
// third of them are under way.
func burst(t *testing.T, s *harness.Server, n int, mid func()) map[string]harness.Answer {
	t.Helper()
	var mu sync.Mutex
	answers := map[string]harness.Answer{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 50)
	for i := range n {
		mobile := s.Mobile()
		slots <- struct{}{}
		if i == n/3 {
			mid()
		}
		wg.Go(func() {
			defer func() { <-slots }()
			_, a := s.Client().AskCode(mobile)
			mu.Lock()
			answers[mobile] = a
			mu.Unlock()
		})
	}
	wg.Wait()
	return answers
}

// settle waits for the codes that wait and holds each answer against what the
// gateways got: nothing twice, nothing lost without a word that says what to do.
func settle(t *testing.T, answers map[string]harness.Answer, gateways ...*harness.SMSC) (ok, waited, unsure, not int) {
	t.Helper()
	submits := func(mobile string) (n int) {
		for _, g := range gateways {
			n += g.Submits(mobile)
		}
		return n
	}
	for mobile, a := range answers {
		if a.OK() && !await(20*time.Second, func() bool { return submits(mobile) > 0 }) {
			t.Errorf("answered %s, and no code came", a.Text())
		}
	}
	for mobile, a := range answers {
		n := submits(mobile)
		tells := a.Header.Get("Retry-After") != "" && strings.Contains(string(a.Body), "ask for a")
		switch {
		case n > 1:
			t.Errorf("a code was submitted %d times, answered %s", n, a.Text())
		case a.OK() && a.Field("delivery") == "waiting" && strings.Contains(a.Field("message"), "ask for a new one"):
			waited++
		case a.OK() && a.Field("delivery") == "":
			ok++
		case a.Status == 503 && strings.Contains(string(a.Body), "OTPUNSURE") && tells:
			unsure++
		case a.Status == 503 && strings.Contains(string(a.Body), "OTPNOTSENT") && tells && n == 0:
			not++
		default:
			t.Errorf("%d submitted, answered %s", n, a.Text())
		}
	}
	t.Logf("%d answered 200, %d that they wait, %d that it is not known, %d that they were not sent", ok, waited, unsure, not)
	return ok, waited, unsure, not
}

// TestCourierKilled: the courier is killed in the middle of a burst, twice, while
// messages about appointments wait. The supervisor starts it again; no code goes
// out twice, none is lost without a word, and the appointments' messages arrive.
func TestCourierKilled(t *testing.T) {
	g := harness.NewSMSC(t)
	s := over(t, g)
	day := s.Later()[0]
	var mobiles []string
	var holders []*harness.Client
	var refs []string
	for range 3 {
		c, mobile := s.Holder()
		holders, mobiles, refs = append(holders, c), append(mobiles, mobile), append(refs, c.Enrol("Asha Test"))
	}
	// The gateway throttles while the appointments are made: their messages wait.
	g.Rule(func(string, int) harness.Verdict { return harness.Verdict{Busy: true} })
	for i, c := range holders {
		if _, a := c.Book(day, 1, refs[i]); !a.OK() {
			t.Fatal(a.Text())
		}
	}
	time.Sleep(300 * time.Millisecond)
	old := s.KillRole(harness.RoleCourier)
	old = s.AwaitRole(harness.RoleCourier, old)
	// A round trip long enough that the kill finds codes on their way, on a busy machine too.
	g.Rule(func(string, int) harness.Verdict { return harness.Verdict{Delay: 300 * time.Millisecond} })
	answers := burst(t, s, 240, func() { s.KillRole(harness.RoleCourier) })
	s.AwaitRole(harness.RoleCourier, old)
	ok, _, unsure, _ := settle(t, answers, g)
	if len(answers) != 240 || ok < 120 || unsure == 0 {
		t.Errorf("%d answers", len(answers))
	}
	for _, mobile := range mobiles {
		if !await(40*time.Second, func() bool {
			for _, m := range s.To(mobile) {
				if strings.Contains(m.Text, "Appointment") {
					return true
				}
			}
			return false
		}) {
			t.Error("an appointment's message was lost with the courier")
		}
	}
	if _, a := s.Client().AskCode(s.Mobile()); !a.OK() || a.Field("delivery") != "" {
		t.Errorf("afterwards: %s", a.Text())
	}
}

// described holds an answer against a schema of api/openapi.yaml.
func described(t *testing.T, schema string, a harness.Answer) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(root, "api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatal(err)
	}
	if err := doc.Components.Schemas[schema].Value.VisitJSON(v); err != nil {
		t.Error(err)
	}
}

// TestGatewaysDown: while no gateway can be reached a code waits, the answer says
// so in the person's language, and when one is back within its three minutes the
// code comes, once, and signs the person in.
func TestGatewaysDown(t *testing.T) {
	first, second := harness.NewSMSC(t), harness.NewSMSC(t)
	s := over(t, first, second)
	if _, a := s.Client().AskCode(s.Mobile()); !a.OK() {
		t.Fatal(a.Text())
	}
	first.Stop()
	second.Stop()
	type asked struct {
		mobile string
		a      harness.Answer
	}
	var all []asked
	for _, language := range []string{"en", "hi_IN"} {
		mobile, begin := s.Mobile(), time.Now()
		a := s.Client().Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile}, "Accept-Language", language)
		want := map[string]string{"en": "ask for a new one", "hi_IN": "नया कोड माँगें"}[language]
		if !a.OK() || a.Field("delivery") != "waiting" || !strings.Contains(a.Field("message"), want) || a.Field("txnId") == "" {
			t.Fatalf("%s: %s", language, a.Text())
		}
		described(t, "Txn", a)
		if d := time.Since(begin); d > 12*time.Second { // it waits five seconds for the gateways; the rest is a busy machine's
			t.Errorf("answered after %s", d)
		}
		all = append(all, asked{mobile, a})
	}
	time.Sleep(2 * time.Second)
	if err := second.Listen(); err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		got := s.AwaitMessages(one.mobile, 0, 20*time.Second)
		if len(got) != 1 {
			t.Fatalf("%d messages", len(got))
		}
		if bearer, a := s.Client().Confirm(one.a.Field("txnId"), got[0].Code()); bearer == "" {
			t.Errorf("the code that waited: %s", a.Text())
		}
	}
	time.Sleep(500 * time.Millisecond)
	for _, one := range all {
		if n := first.Submits(one.mobile) + second.Submits(one.mobile); n > 2 { // the Hindi one has two parts
			t.Errorf("submitted %d times", n)
		}
	}
}

// TestNoticeNotDelivered: a message about an appointment that the first gateway
// reports as not delivered goes over the second, once, and operators can read it;
// a code does not.
func TestNoticeNotDelivered(t *testing.T) {
	first, second := harness.NewSMSC(t), harness.NewSMSC(t)
	first.Rule(func(string, int) harness.Verdict { return harness.Verdict{Receipt: "UNDELIV"} })
	s := over(t, first, second)
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	if _, a := c.Book(s.Later()[0], 1, ref); !a.OK() {
		t.Fatal(a.Text())
	}
	appointments := func() (n int) {
		for _, m := range second.Messages() {
			if m.To == mobile && strings.Contains(m.Text, "Appointment") {
				n++
			}
		}
		return n
	}
	if !await(20*time.Second, func() bool { return appointments() > 0 }) {
		t.Fatal("the second gateway got nothing")
	}
	time.Sleep(500 * time.Millisecond)
	for _, m := range second.Messages() {
		if m.To == mobile && strings.Contains(m.Text, "is your code") {
			t.Error("a code went out a second time")
		}
	}
	if n := appointments(); n != 1 {
		t.Errorf("the second gateway got it %d times", n)
	}
	s.Stop()
	if log := s.Log(); !strings.Contains(log, `"route":"route1","accepted":1,"refused":0,"unsure":0,"delivered":0,"failed":0,"again":1`) {
		t.Errorf("not counted: %s", log[max(0, len(log)-1500):])
	}
}
