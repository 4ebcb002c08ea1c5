package edge

import (
	"net/http"
	"time"
)

// Watch hears what became of requests, for the operator's figures. route is the
// method and address of the table, never the address asked. Its methods are
// called on every request: they are quick, and safe for concurrent use.
type Watch interface {
	Answered(route string, status int, took time.Duration)
	Refused(kind string)
	Limited(class string)
}

// Tracer begins the trace of a request; end is called with the answer's status.
type Tracer interface {
	Request(r *http.Request, route string) (inner *http.Request, end func(status int))
}

// unwatched is the Watch of a server without one.
type unwatched struct{}

// Answered implements Watch.
func (unwatched) Answered(string, int, time.Duration) {}

// Refused implements Watch.
func (unwatched) Refused(string) {}

// Limited implements Watch.
func (unwatched) Limited(string) {}

// noRoute is the name of requests that have none.
const noRoute = "other"

// searchNames are the routes of the public searches, as a Watch has them.
var searchNames = func() (out [searchKinds]string) {
	for k, route := range searchRoutes {
		out[k] = http.MethodGet + " " + route
	}
	return out
}()
