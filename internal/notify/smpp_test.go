package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"tikakosh/internal/fault"
)

// router runs the routes until the test ends.
func router(t testing.TB, routes ...Route) *Router {
	t.Helper()
	return routerOf(t, Routes{Routes: routes})
}

func routerOf(t testing.TB, routes Routes) *Router {
	t.Helper()
	raw, err := json.Marshal(routes)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseRoutes(raw)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRouter(c, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return r
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

const hindiText = "123456 टीकाकोष के लिए आपका कोड है। यह 3 मिनट तक मान्य है। इसे किसी को न बताएँ। 🙏 और कुछ शब्द ताकि यह दो भागों में जाए।"

// TestSMPPArrivesWhole: English as one part, Hindi as joined parts, with sender,
// number, ids of the registers, and receipts counted.
func TestSMPPArrivesWhole(t *testing.T) {
	for _, c := range []struct {
		text, language, template, stat string
		parts                          int
		delivered, failed              int64
	}{
		{"123456 is your code {€}.", "en", dltEnglish, "DELIVRD", 1, 1, 0},
		{strings.Repeat("0123456789", 20) + "€", "en", dltEnglish, "UNDELIV", 2, 0, 2},
		{hindiText, "hi", dltHindi, "DELIVRD", 2, 2, 0},
	} {
		s := newSMSC(t)
		s.receipt = c.stat
		r := router(t, s.route("a"))
		m := Message{ID: "x", To: "0000000001", Channel: "sms", Text: c.text, Once: true, Template: "code", Language: c.language}
		if err := r.Send(within(t, 5*time.Second), m); err != nil {
			t.Fatal(err)
		}
		if s.text() != c.text || s.count() != c.parts {
			t.Errorf("%d parts: %q", s.count(), s.text())
		}
		for _, p := range s.got {
			if p.DestAddr.Address() != "910000000001" || p.SourceAddr.Address() != "TIKAKO" || p.RegisteredDelivery != 1 ||
				strings.TrimRight(string(p.OptionalParameters[tagEntity].Data), "\x00") != dltEntity || strings.TrimRight(string(p.OptionalParameters[tagTemplate].Data), "\x00") != c.template {
				t.Errorf("%+v", p)
			}
			total, _, _, joined := p.Message.UDH().GetConcatInfo()
			if joined != (c.parts > 1) || joined && int(total) != c.parts {
				t.Errorf("joined %v, %d", joined, total)
			}
		}
		for range 200 {
			if got := r.Counts()["a"]; got.Delivered == c.delivered && got.Failed == c.failed {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if got := r.Counts()["a"]; got.Delivered != c.delivered || got.Failed != c.failed || got.Accepted != 1 {
			t.Errorf("%+v", got)
		}
	}
}

// TestSMPPOnce: what a gateway has taken without answering is not sent again,
// over no route.
func TestSMPPOnce(t *testing.T) {
	first, second := newSMSC(t), newSMSC(t)
	first.answer = func(int) (data.CommandStatusType, bool) { return 0, false }
	r := router(t, first.route("a"), second.route("b"))
	c := NewCourier(r, now)
	m := Message{ID: "x", To: "0000000001", Channel: "sms", Text: "123456", Once: true}
	waitBound(t, r)
	for range 3 {
		if err := c.Send(within(t, 3*time.Second), m); !fault.Is(err, fault.Unknown) {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	if first.count() != 1 || second.count() != 0 {
		t.Errorf("submitted %d and %d times", first.count(), second.count())
	}
}

func waitBound(t testing.TB, r *Router) {
	t.Helper()
	for range 600 {
		up := 0
		for _, s := range r.routes {
			s.mu.Lock()
			if s.link != nil {
				up++
			}
			s.mu.Unlock()
		}
		if up == len(r.routes) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("not bound")
}

// TestSMPPSecondRoute: a gateway that is down, refuses the bind, throttles or
// refuses the message gives way to the next; a number no gateway knows does not.
func TestSMPPSecondRoute(t *testing.T) {
	status := func(s data.CommandStatusType) func(int) (data.CommandStatusType, bool) {
		return func(int) (data.CommandStatusType, bool) { return s, true }
	}
	for name, c := range map[string]struct {
		break_ func(*smsc)
		kind   fault.Kind
		first  int
	}{
		"down":       {func(s *smsc) { s.close() }, "", 0},
		"password":   {func(s *smsc) { s.password = "other" }, "", 0},
		"throttled":  {func(s *smsc) { s.answer = status(data.ESME_RTHROTTLED) }, "", patience},
		"queue full": {func(s *smsc) { s.answer = status(data.ESME_RMSGQFUL) }, "", patience},
		"refused":    {func(s *smsc) { s.answer = status(data.ESME_RINVSRCADR) }, "", 1},
		"bad number": {func(s *smsc) { s.answer = status(data.ESME_RINVDSTADR) }, fault.Invalid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newSMSC(t), newSMSC(t)
			a, b := first.route("a"), second.route("b")
			c.break_(first)
			r := router(t, a, b)
			if name != "down" && name != "password" {
				waitBound(t, r)
			}
			err := r.Send(within(t, 5*time.Second), Message{ID: "x", To: "0000000001", Channel: "sms", Text: "123456", Once: true})
			if fault.KindOf(err) != c.kind || (c.kind == "") != (second.count() == 1) || first.count() != c.first {
				t.Errorf("%v, %d and %d submitted", err, first.count(), second.count())
			}
		})
	}
}

// TestSMPPThrottledThenTaken: patience pays; and when no route takes a message in
// time, the error says that it was not sent.
func TestSMPPThrottledThenTaken(t *testing.T) {
	s := newSMSC(t)
	s.answer = func(n int) (data.CommandStatusType, bool) {
		if n != 6 {
			return data.ESME_RTHROTTLED, true
		}
		return data.ESME_ROK, true
	}
	r := router(t, s.route("a"))
	waitBound(t, r)
	m := Message{ID: "x", To: "0000000001", Channel: "sms", Text: "123456", Once: true}
	if err := r.Send(within(t, time.Minute), m); err != nil || s.count() != 6 {
		t.Fatalf("%v after %d", err, s.count())
	}
	// The time is over while nothing is under way: of what is, nobody knows the fate.
	ctx, over := context.WithCancel(within(t, time.Minute))
	sent := make(chan error, 1)
	go func() { sent <- r.Send(ctx, m) }()
	for s.count() < 6+patience || r.underWay() > 0 {
		time.Sleep(time.Millisecond)
	}
	over()
	if err := <-sent; !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	if err := r.Send(ctx, m); !fault.Is(err, fault.Unavailable) || s.count() != 6+patience {
		t.Errorf("%v, %d submitted; what is over is not begun", err, s.count())
	}
}

// underWay is how many requests wait for their answer.
func (r *Router) underWay() (n int) {
	for _, s := range r.routes {
		s.mu.Lock()
		if l := s.link; l != nil {
			l.mu.Lock()
			n += len(l.waiting)
			l.mu.Unlock()
		}
		s.mu.Unlock()
	}
	return n
}

// TestSMPPBurst: the gateway is cut off in the middle of a burst. Nothing is
// submitted twice, and every message has an answer.
func TestSMPPBurst(t *testing.T) {
	s := newSMSC(t)
	s.answer = func(n int) (data.CommandStatusType, bool) { return data.ESME_ROK, n != 700 && n != 1400 }
	r := router(t, s.route("a"))
	waitBound(t, r)
	c := NewCourier(r, now)
	const n = 2000
	var ok, unknown, not atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range n {
		wg.Go(func() {
			m := Message{ID: fmt.Sprint(i), To: "0000000001", Channel: "sms", Text: fmt.Sprintf("%06d", i), Once: true}
			switch err := c.Send(within(t, 5*time.Second), m); {
			case err == nil:
				ok.Add(1)
			case fault.Is(err, fault.Unknown):
				unknown.Add(1)
			case fault.Is(err, fault.Unavailable):
				not.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, p := range s.got {
		raw, _ := p.Message.GetMessageData()
		if seen[string(raw)]++; seen[string(raw)] > 1 {
			t.Errorf("%s was submitted twice", raw)
		}
	}
	t.Logf("%d accepted, %d unknown, %d not sent of %d in %.2f s", ok.Load(), unknown.Load(), not.Load(), n, time.Since(begin).Seconds())
	if ok.Load()+unknown.Load()+not.Load() != n || int64(len(seen)) < ok.Load() || unknown.Load() == 0 || unknown.Load() > 2*defaultWindow || not.Load() != 0 {
		t.Error("messages are missing")
	}
}

// TestSegments: cuts lose nothing, and no message of the catalogue is longer
// than it may be.
func TestSegments(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("a", 160), strings.Repeat("a", 161), strings.Repeat("€", 81), strings.Repeat("क", 70), strings.Repeat("क", 71),
		strings.Repeat("🙏", 100), strings.Repeat("क्षि", 60), "a" + strings.Repeat("\u0901", 200)} {
		parts, enc := segments(text)
		if strings.Join(parts, "") != text {
			t.Errorf("%q became %q", text, parts)
		}
		for _, p := range parts {
			raw, err := enc.Encode(p)
			limit := 160
			if enc == data.UCS2 {
				limit = 140
			}
			if len(parts) > 1 {
				limit = map[bool]int{true: 134, false: 153}[enc == data.UCS2]
			}
			if err != nil || len(raw) > limit {
				t.Errorf("a part of %d bytes, %v", len(raw), err)
			}
		}
	}
	longest := map[string][2]int{"code": {1, 2}, "dose": {2, 3}, "opening": {2, 4}, "break-glass": {2, 4}, "relink": {2, 4}, "relink-stopped": {1, 2}, "relink-moved": {1, 3}, "booking": {3, 4}, "moved": {2, 3}, "cancel": {2, 3}, "reminder": {2, 2}, "undrawn": {2, 3}, "linked": {1, 3}, "answered": {1, 2}, "apart": {1, 3}, "link-made": {1, 3}, "left": {2, 3}, "removed": {2, 4}, "card-made": {2, 4}, "taken-back": {2, 3}, "places": {1, 2}}
	for name, max := range longest {
		for i, language := range []string{"en", "hi"} {
			text, err := Compose(name, language, fitting()[name])
			if parts, _ := segments(text); err != nil || len(parts) > max[i] {
				t.Errorf("%s in %s: %d parts, at most %d (%v)", name, language, len(parts), max[i], err)
			}
		}
	}
	six := "1234:0042,2345:0043,1234:0042,2345:0043,1234:0042,2345:0043"
	text, err := Compose("booking", "hi", map[string]string{"date": "01-02-2026", "slot": "09:00AM-11:00AM", "people": six, "centre": strings.Repeat("क", 40)})
	if parts, _ := segments(text); err != nil || len(parts) > maxSegments {
		t.Errorf("the longest message has %d parts (%v)", len(parts), err)
	}
}

func TestParseRoutes(t *testing.T) {
	good := Route{Name: "a", Address: "127.0.0.1:2775", SystemID: "x", Secret: "y", Sender: "TIKAKO"}
	for name, change := range map[string]func(*Route){
		"name":     func(r *Route) { r.Name = "" },
		"address":  func(r *Route) { r.Address = "localhost" },
		"system":   func(r *Route) { r.SystemID = strings.Repeat("x", 16) },
		"password": func(r *Route) { r.Secret = "" },
		"sender":   func(r *Route) { r.Sender = "" },
		"ton":      func(r *Route) { r.SenderTON = 7 },
		"prefix":   func(r *Route) { r.CountryPrefix = "+91" },
		"window":   func(r *Route) { r.Window = -1 },
		"template": func(r *Route) { r.TemplateIDs = map[string]map[string]string{"x": {"en": "1"}} },
		"language": func(r *Route) { r.TemplateIDs = map[string]map[string]string{"code": {"ta": "1"}} },
	} {
		r := good
		change(&r)
		raw, _ := json.Marshal(Routes{Routes: []Route{r}})
		if _, err := ParseRoutes(raw); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "secret y") {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw, _ := json.Marshal(Routes{Routes: []Route{good, good}})
	if _, err := ParseRoutes(raw); err == nil {
		t.Error("two routes of one name")
	}
	for _, bad := range []string{"", "{}", "[]", `{"routes":[]}`, `{"routes":[{"nam":"x"}]}`} {
		if _, err := ParseRoutes([]byte(bad)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSMPPCheck(t *testing.T) {
	s := newSMSC(t)
	good, bad, gone := s.route("good"), s.route("bad"), s.route("gone")
	bad.Secret = "wrong"
	gone.Address = "127.0.0.1:1"
	raw, _ := json.Marshal(Routes{Routes: []Route{good, bad, gone}})
	c, err := ParseRoutes(raw)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRouter(c, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	got := r.Check(within(t, 10*time.Second))
	if got["good"] != nil || got["bad"] == nil || got["gone"] == nil || !strings.Contains(got["bad"].Error(), "refused the bind") || strings.Contains(fmt.Sprint(got), "wrong") {
		t.Errorf("%v", got)
	}
}

func FuzzParseReceipt(f *testing.F) {
	f.Add([]byte("id:1 sub:001 dlvrd:001 submit date:1 done date:2 stat:DELIVRD err:000 text:x"), byte(0))
	f.Add([]byte("stat:"), byte(2))
	f.Add([]byte{}, byte(9))
	f.Fuzz(func(t *testing.T, text []byte, state byte) {
		got := parseReceipt(text, state)
		if got < receiptOther || got > receiptFailed || (state == 2) && got != receiptDelivered {
			t.Errorf("%q %d: %d", text, state, got)
		}
	})
}

// FuzzReadPDU: whatever a gateway sends, reading ends without a panic.
func FuzzReadPDU(f *testing.F) {
	buf := pdu.NewBuffer(nil)
	d := pdu.NewDeliverSM()
	d.Marshal(buf)
	f.Add(buf.Bytes())
	f.Add([]byte{0, 0, 0, 16, 0, 0, 0, 21, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := read(strings.NewReader(string(raw)))
		if d, ok := p.(*pdu.DeliverSM); err == nil && ok {
			(&SMPP{}).receipt(d)
		}
	})
}

func FuzzParseRoutes(f *testing.F) {
	f.Add([]byte(`{"routes":[{"name":"a","address":"h:1","system_id":"x","secret":"y","sender":"z","template_ids":{"code":{"en":"1"}}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseRoutes(raw)
		if err != nil && !fault.Is(err, fault.Invalid) || err == nil && len(c.Routes) == 0 {
			t.Errorf("%v", err)
		}
	})
}
