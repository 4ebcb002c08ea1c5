package keeper_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

var update = flag.Bool("update", false, "write the golden files anew")

var callers = []keeper.Caller{keeper.CallerWeb, keeper.CallerWorker, keeper.CallerOperator, keeper.CallerSeeder, "courier", "stranger"}

// post calls one method as a caller.
func post(h http.Handler, method string, body []byte) (int, vault.Failure) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/v1/"+method, bytes.NewReader(body)))
	var f vault.Failure
	if w.Code != http.StatusOK {
		_ = json.Unmarshal(w.Body.Bytes(), &f)
	}
	return w.Code, f
}

// TestCallerTable calls every method as every caller and compares who may with
// the table that was agreed.
func TestCallerTable(t *testing.T) {
	var b strings.Builder
	for _, demo := range []bool{true, false} {
		r := rigWith(t, func(r *rig) { r.cfg.Demo = demo })
		fmt.Fprintf(&b, "demo %v\n", demo)
		methods := r.k.AllWords()
		for _, m := range methods {
			fmt.Fprintf(&b, "%-20s", m)
			for _, c := range callers {
				code, f := post(r.k.Handler(c), m, []byte(`{"NoSuchField":1}`))
				switch {
				case code == http.StatusNotFound:
					fmt.Fprintf(&b, " %s:absent", c)
				case f.Kind == fault.Forbidden && f.Code == "caller":
				case f.Kind == fault.Invalid && f.Code == "request":
					fmt.Fprintf(&b, " %s", c)
				default:
					t.Errorf("%s as %s: %d %+v", m, c, code, f)
				}
			}
			b.WriteString("\n")
		}
		if n := strings.Count(r.log(), "alarm=caller"); n < len(methods)*3 {
			t.Errorf("%d alarms for callers that may not", n)
		}
	}
	const golden = "testdata/callers.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || b.String() != string(want) {
		t.Errorf("the table of callers changed (%v); -update writes it anew:\n%s", err, b.String())
	}
}

// TestNoLookUp: nothing the socket takes besides a code request and an
// enrolment holds a mobile, a name or an id number (I2).
func TestNoLookUp(t *testing.T) {
	takes := map[string]any{vault.MethodMembership: vault.Holder{}, vault.MethodCommitted: vault.CommittedRequest{}, vault.MethodOpen: vault.OpenRequest{},
		vault.MethodRemove: vault.RemoveRequest{}, vault.MethodOpenings: vault.OpeningsRequest{}, vault.MethodCertificate: vault.CertificateRequest{},
		vault.MethodBook: vault.BookRequest{}, vault.MethodCancel: vault.CancelRequest{}, vault.MethodSlip: vault.SlipRequest{},
		vault.MethodRelease: vault.ReleaseRequest{}, vault.MethodSettled: vault.SettledRequest{}, vault.MethodUnfinished: vault.UnfinishedRequest{},
		vault.MethodDose: vault.DoseRequest{}, vault.MethodConfirmCode: vault.CodeAnswer{}}
	for m, req := range takes {
		raw, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"obile", "Name", "IDNumber", "Phone", "Search", "Query"} {
			if strings.Contains(string(raw), word) {
				t.Errorf("%s takes %s: %s", m, word, raw)
			}
		}
	}
	r := newRig(t)
	r.register("0000000402", 1)
	for _, body := range []string{`{"Mobile":"0000000402"}`, `{"Holder":{"Mobile":"0000000402"}}`, `{"Person":"0000000402"}`} {
		for _, m := range r.k.AllWords() {
			if m == vault.MethodAccept { // names somebody by the random id they have in the registry, and answers nothing of them
				continue
			}
			if m == vault.MethodRequestCode || m == vault.MethodSeed || m == vault.MethodKeys || m == vault.MethodStatus {
				continue
			}
			for _, c := range callers {
				if code, f := post(r.k.Handler(c), m, []byte(body)); code == http.StatusOK {
					t.Errorf("%s as %s took %s (%+v)", m, c, body, f)
				}
			}
		}
	}
}

// TestDecoding sends what is no request to every method.
func TestDecoding(t *testing.T) {
	r := newRig(t)
	h := r.k.Handler(keeper.CallerWeb)
	before := r.k.LastNext()
	bodies := map[string]string{"nothing": "", "not JSON": "{", "an array": "[]", "text": `"x"`, "an unknown field": `{"X":1}`, "deep": strings.Repeat("[", 20_000),
		"wrong types": `{"Holder":1,"Hold":{},"Signed":[],"Seals":3,"Txn":1,"Mobile":[],"Bearer":[1],"Person":2,"Name":7,"Staff":1}`}
	for name, body := range bodies {
		for _, m := range r.k.AllWords() {
			if code, f := post(h, m, []byte(body)); code != http.StatusUnprocessableEntity || (f.Kind != fault.Invalid && f.Kind != fault.Forbidden) {
				t.Errorf("%s with %s: %d %+v", m, name, code, f)
			}
		}
	}
	if code, f := post(h, vault.MethodOpen, make([]byte, vault.MaxMessage+1)); code != http.StatusUnprocessableEntity || f.Code != "size" {
		t.Errorf("too large: %d %+v", code, f)
	}
	for _, x := range []struct {
		verb, path string
		want       int
	}{{"GET", "/v1/keys", 405}, {"POST", "/v1/people.search", 404}, {"POST", "/", 404}, {"POST", "/debug/pprof/", 404}, {"POST", "/v1/", 404}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(x.verb, x.path, strings.NewReader("{}")))
		if w.Code != x.want {
			t.Errorf("%s %s: %d", x.verb, x.path, w.Code)
		}
	}
	if r.k.LastNext() != before {
		t.Error("a malformed request left an entry")
	}
}

// TestInternalTextsStayInside: what goes wrong inside is logged and not told.
func TestInternalTextsStayInside(t *testing.T) {
	r := newRig(t)
	p := r.register("0000000403", 1)
	r.exec("UPDATE person SET mac = x'00'")
	body := mustJSON(vault.OpenRequest{Holder: p.holder, Records: r.records(p.person)})
	code, f := post(r.k.Handler(keeper.CallerWeb), vault.MethodOpen, body)
	if code != http.StatusUnprocessableEntity || f.Kind != fault.Integrity || f.Text != "the vault could not do this" {
		t.Errorf("%d %+v", code, f)
	}
	if !strings.Contains(r.log(), "MAC does not match") || strings.Contains(r.log(), p.holder.Bearer) || strings.Contains(r.log(), string(p.person)) {
		t.Errorf("the log: %s", r.log())
	}
}

func TestKeysAndStatus(t *testing.T) {
	r := rigWith(t, func(r *rig) { r.cfg.Separated = true })
	a, err := r.k.Keys(t.Context(), vault.Empty{})
	if err != nil || a.Realm != id.DefaultRealm || len(a.ReceiptKey) != 32 || !strings.HasPrefix(a.LedgerVKey, "test.example/ledger+") || strings.Contains(string(a.BearerJWK), `"d"`) {
		t.Fatalf("%+v %v", a, err)
	}
	r.signIn("0000000404")
	st, err := r.k.Status(t.Context(), vault.Empty{})
	if err != nil || !st.Ready || !st.Separated || st.LedgerSize != 4 { // dictionary, keys, policies, household
		t.Errorf("%+v %v", st, err)
	}
	r.close()
	if err := r.open(); err != nil {
		t.Fatal(err)
	}
	if b, err := r.k.Keys(t.Context(), vault.Empty{}); err != nil || !slices.Equal(mustJSON(a), mustJSON(b)) {
		t.Errorf("the keys changed over a restart (%v)", err)
	}
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
