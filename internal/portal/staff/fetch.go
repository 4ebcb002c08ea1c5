package staff

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds of a fetch.
const (
	fetchBytes = 4 << 20 // of one file
	fetchTime  = 10 * time.Second
)

// Fetched is Sum of the bundle's files as they are served at an origin: what a browser
// gets there. A file that is not in this program's bundle does not count: its page loads
// none. The error says which file did not come.
func Fetched(ctx context.Context, origin string) (string, error) {
	c := &http.Client{Timeout: fetchTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return sumOf(bundle(), func(name string) ([]byte, error) {
		if name == page {
			name = ""
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/"+name, nil)
		if err != nil {
			return nil, err
		}
		res, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(io.LimitReader(res.Body, fetchBytes+1))
		if err == nil && (res.StatusCode != http.StatusOK || len(raw) > fetchBytes) {
			err = fmt.Errorf("%s/%s: status %d, %d bytes", origin, name, res.StatusCode, len(raw))
		}
		return raw, err
	})
}
