package edge

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// wireError is CoWIN's error shape (contract.md 1.1).
type wireError struct {
	Code    string          `json:"errorCode"`
	Text    string          `json:"error"`
	Request string          `json:"request_id,omitempty"`
	Work    json.RawMessage `json:"challenge,omitempty"`
}

// fail renders every error of the API. Kinds that mean a fault of ours show a
// request id and nothing else.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, request string, err error) {
	var f *fault.Error
	if !errors.As(err, &f) {
		f = fault.New(fault.Internal, "", "")
	}
	s.cfg.Watch.Refused(string(f.Kind))
	w.Header().Set("Cache-Control", "no-store")
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	body := wireError{Code: f.Code, Text: f.Text}
	status := http.StatusInternalServerError
	switch f.Kind {
	case fault.Unauthorized:
		w.Header().Set("Content-Type", typeText)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte("Unauthenticated access!"))
		return
	case fault.Invalid:
		status = http.StatusBadRequest
		if f.Code == "size" {
			status = http.StatusRequestEntityTooLarge
		}
	case fault.Forbidden:
		status = http.StatusForbidden
		if f.Code == "partner" { // in the words of CoWIN's gateway
			writeJSON(w, status, map[string]string{"message": "Forbidden"})
			return
		}
	case fault.NotFound:
		status = http.StatusNotFound
		if f.Code != vault.CodeNoDose { // nothing else says what it was that is not there
			body.Code, body.Text = "NOTFOUND", "Not found"
		}
	case fault.Conflict:
		status = http.StatusConflict
	case fault.Full:
		status = http.StatusConflict
		if f.Code == "APPOIN0040" {
			body.Text = "This vaccination center is completely booked for the selected date. Please try another date or vaccination center."
		}
	case fault.RateLimited:
		status = http.StatusTooManyRequests
	case fault.Unavailable, fault.Unknown:
		status = http.StatusServiceUnavailable
		body = wireError{Code: "UNAVAILABLE", Text: "The service cannot answer now. Please try again.", Request: request}
		if text := awayText(f.Kind, f.Code); text != "" {
			body.Text = text
		}
		if text := codeText(f.Code); text != "" {
			body.Code, body.Text = f.Code, text
		}
		if f.RetryAfter == 0 {
			w.Header().Set("Retry-After", "2")
		}
	default:
		body = wireError{Code: "INTERNAL", Text: "Something went wrong.", Request: request}
	}
	if status >= 500 {
		s.cfg.Logger.Error("request failed", "request", request, "kind", f.Kind, "code", f.Code)
		if ablate.Off(ablate.ErrorText) {
			body.Text = err.Error()
		}
	}
	if f.Kind == fault.RateLimited && json.Valid([]byte(f.Text)) && f.Code == "challenge" {
		body = wireError{Code: "USRAUT0018", Text: "Solve the challenge and ask again.", Work: json.RawMessage(f.Text)}
	}
	w.Header().Set("Vary", "Accept-Language")
	body.Text = inLanguage(languageOf(r), body.Text)
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"errorCode":"INTERNAL","error":"Something went wrong."}`)
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// json answers 200 with v.
func (c *Ctx) json(v any) error {
	writeJSON(c.w, http.StatusOK, v)
	return nil
}

// public lets shared caches keep an answer without personal data.
func (c *Ctx) public(seconds int) {
	c.w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(seconds))
	if c.route.Audience == Public {
		c.w.Header().Set("Access-Control-Allow-Origin", "*")
	} else {
		c.w.Header().Set("Cache-Control", "private, max-age="+strconv.Itoa(seconds))
	}
}

// shown marks an answer that shows a person.
func (c *Ctx) shown(viewRef string) {
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.Header().Set("X-View-Reference", viewRef)
}
