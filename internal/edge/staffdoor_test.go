package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestStaffDoor: on the staff client's origin there are its files and the routes of staff,
// and nothing else of the API, whoever asks; no other origin is let in.
func TestStaffDoor(t *testing.T) {
	r := newRig(t)
	door := r.Server.StaffDoor(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	ask := func(method, path, origin string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, strings.NewReader("{}"))
		req.Header.Set("Content-Type", "application/json")
		if origin != "" {
			req.Header.Set("Origin", origin)
			req.Header.Set("Access-Control-Request-Method", "POST")
			req.Header.Set("Access-Control-Request-Headers", "dpop, x-assertion, content-type")
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, req)
		return w
	}
	staff := 0
	for _, route := range r.Server.table {
		path := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(route.Path, "{path...}", "x"), "{", ""), "}", "")
		w := ask(route.Method, path, "")
		if of := route.Audience == Staff || route.Audience == Newcomer; of {
			staff++
			if w.Code == http.StatusNotFound || w.Code == http.StatusTeapot {
				t.Errorf("%s %s is not there: %d", route.Method, path, w.Code)
			}
		} else if strings.HasPrefix(path, "/api/") && w.Code != http.StatusNotFound {
			t.Errorf("%s %s is there: %d %s", route.Method, path, w.Code, w.Body)
		}
		for _, origin := range []string{"https://evil.example", "null", "https://staff.vaccination.example"} {
			for _, method := range []string{route.Method, "OPTIONS"} {
				for k := range ask(method, path, origin).Result().Header {
					if strings.HasPrefix(k, "Access-Control-") {
						t.Errorf("%s %s from %s is answered with %s", method, path, origin, k)
					}
				}
			}
		}
	}
	if staff < 20 {
		t.Fatalf("only %d routes are staff's", staff)
	}
	for path, want := range map[string]int{"/": http.StatusTeapot, "/main.js": http.StatusTeapot, "/api/": http.StatusNotFound, "/api/v3/staff/identity": http.StatusNotFound, "//api/v3/keys": http.StatusTeapot,
		"/api/v3/staff/../keys": http.StatusNotFound} {
		if w := ask("GET", path, ""); w.Code != want {
			t.Errorf("%s: %d, not %d", path, w.Code, want)
		}
	}
}
