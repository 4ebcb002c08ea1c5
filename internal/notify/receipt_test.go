package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/internal/fault"
)

func nopLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// TestFailedReceipt: a notice whose receipt says that it did not arrive goes over
// the second route, once, however many of its parts failed, and is counted there.
// A code does not, nor what is past its time, nor what arrived.
func TestFailedReceipt(t *testing.T) {
	first, second := newSMSC(t), newSMSC(t)
	first.receipt, second.receipt = "UNDELIV", "UNDELIV"
	r := router(t, first.route("first"), second.route("second"))
	waitBound(t, r)
	send := func(m Message) {
		t.Helper()
		m.To, m.Channel = "0000000001", ChannelSMS
		if err := r.Send(within(t, 5*time.Second), m); err != nil {
			t.Fatal(err)
		}
	}
	send(Message{ID: "notice", Text: strings.Repeat("long ", 40), Deadline: now().Add(time.Hour).UnixMilli()})
	send(Message{ID: "code", Text: "123456", Once: true})
	send(Message{ID: "late", Text: "late", Deadline: now().Add(-time.Second).UnixMilli()})
	for range 200 {
		if second.count() >= 2 && r.Counts()["second"].Failed >= 2 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	got := r.Counts()
	if second.text() != strings.Repeat("long ", 40) || got["second"].Again != 1 || got["first"].Failed != 4 || got["first"].Again != 0 {
		t.Errorf("the second route got %q; %+v", second.text(), got)
	}
	first.mu.Lock()
	first.receipt = "DELIVRD"
	first.mu.Unlock()
	send(Message{ID: "fine", Text: "fine"})
	time.Sleep(100 * time.Millisecond)
	if second.count() != 2 {
		t.Error("what arrived was sent again")
	}
}

// TestReceiptsBounded: what waits for a receipt is bounded and forgotten.
func TestReceiptsBounded(t *testing.T) {
	var again atomic.Int64
	r := newReceipts(func(Message) { again.Add(1) })
	for i := range receiptsAwaited + 10 {
		r.await(Message{ID: "x"}, []string{fmt.Sprint(i)})
	}
	if n := len(r.young) + len(r.old); n != receiptsAwaited {
		t.Errorf("%d wait", n)
	}
	r.turn()
	r.failed("1")
	r.failed("1")
	r.turn()
	r.failed("2")
	if again.Load() != 1 || len(r.young)+len(r.old) != 0 {
		t.Errorf("%d sent again, %d wait", again.Load(), len(r.young)+len(r.old))
	}
	for i := range 2 * receiptsEarly {
		r.failed(fmt.Sprint("early", i))
	}
	if len(r.early) > receiptsEarly {
		t.Errorf("%d early", len(r.early))
	}
	r.await(Message{ID: "y"}, []string{fmt.Sprint("early", 2*receiptsEarly-1)})
	if again.Load() != 2 {
		t.Error("a receipt that came before the answer is lost")
	}
}

// TestDLT: ids that no register gives are refused; what is not registered is named.
func TestDLT(t *testing.T) {
	good := Route{Name: "a", Address: "127.0.0.1:2775", SystemID: "x", Secret: "y", Sender: "TIKAKO", EntityID: dltEntity,
		TemplateIDs: map[string]map[string]string{"code": {"en": dltEnglish, "hi": dltHindi}}}
	parse := func(change func(*Route)) (Routes, error) {
		r := good
		change(&r)
		raw, _ := json.Marshal(Routes{Routes: []Route{r}})
		return ParseRoutes(raw)
	}
	for name, change := range map[string]func(*Route){
		"entity":    func(r *Route) { r.EntityID = "1101" },
		"letters":   func(r *Route) { r.EntityID = "11010000000000000ab" },
		"no entity": func(r *Route) { r.EntityID = "" },
		"template":  func(r *Route) { r.TemplateIDs = map[string]map[string]string{"code": {"en": "1107"}} },
		"unknown":   func(r *Route) { r.TemplateIDs = map[string]map[string]string{"birthday": {"en": dltEnglish}} },
		"language":  func(r *Route) { r.TemplateIDs = map[string]map[string]string{"code": {"ta": dltEnglish}} },
		"an id twice": func(r *Route) {
			r.TemplateIDs = map[string]map[string]string{"code": {"en": dltEnglish, "hi": dltEnglish}}
		},
	} {
		if _, err := parse(change); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := parse(func(*Route) {})
	missing := c.Unregistered()["a"]
	all := Registrations()
	if err != nil || len(missing) != len(all)-2 || !slices.Contains(missing, "booking in hi") || slices.Contains(missing, "code in en") {
		t.Errorf("%v: %q", err, missing)
	}
	full := map[string]map[string]string{}
	for i, r := range all {
		if full[r.Template] == nil {
			full[r.Template] = map[string]string{}
		}
		full[r.Template][r.Language] = fmt.Sprintf("1107%015d", i)
		if strings.ContainsAny(strings.ReplaceAll(r.Text, "{#var#}", ""), "{}\n") {
			t.Errorf("%s in %s: %q", r.Template, r.Language, r.Text)
		}
	}
	if c, err = parse(func(r *Route) { r.TemplateIDs = full }); err != nil || len(c.Unregistered()) != 0 {
		t.Errorf("%v: %q", err, c.Unregistered())
	}
	if c, err = parse(func(r *Route) { r.EntityID, r.TemplateIDs = "", nil }); err != nil || len(c.Unregistered()) != 0 {
		t.Errorf("not in India: %v %q", err, c.Unregistered())
	}
}

// BenchmarkCodesOverSMPP measures how many codes a second go from the vault's
// client over its socket, the courier and one SMPP link until a gateway in this
// process has taken them.
func BenchmarkCodesOverSMPP(b *testing.B) {
	s := newSMSC(b)
	r := router(b, s.route("a"))
	waitBound(b, r)
	c := client(b, NewCourier(r, now))
	ids := make(chan int, 64)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			for i := range ids {
				m := Message{ID: fmt.Sprint(i), To: "0000000001", Channel: ChannelSMS, Text: fmt.Sprintf("%06d is your code for Tikakosh. It is valid for 3 minutes. Share it with nobody.", i), Once: true, Template: "code", Language: "en"}
				if err := c.Send(b.Context(), m); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		ids <- i
	}
	close(ids)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "codes/s")
	if s.count() != b.N {
		b.Errorf("the gateway took %d of %d", s.count(), b.N)
	}
}
