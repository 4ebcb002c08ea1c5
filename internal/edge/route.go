package edge

import (
	"fmt"
	"slices"
	"strings"
)

// Audience says who may call a route.
type Audience string

// The audiences.
const (
	Public Audience = "public"
	Holder Audience = "holder" // a bearer of the vault
	Staff  Audience = "staff"  // a DPoP proof, verified by the vault

	Partner Audience = "partner" // an x-api-key and a DPoP proof, verified by the vault

	Newcomer Audience = "newcomer" // a DPoP proof by a key that is nobody's yet: staff who sign in or enrol
)

// Rate names a class of limits.
type Rate string

// The rate classes.
const (
	RateCode   Rate = "code"   // asks for or confirms codes
	RateSearch Rate = "search" // public, cheap
	RateSelf   Rate = "self"   // personal and staff
)

// Route is one row of the table. BodyLimit is in bytes; 0 means no body. Own
// routes refuse unknown fields, CoWIN's ignore them. Waits marks the one that records
// a dose.
type Route struct {
	Method      string
	Path        string
	Audience    Audience
	Action      string
	BodyLimit   int64
	ContentType string
	Rate        Rate
	Own         bool
	Waits       bool // a staff request that is kept while the vault is down
	Handler     func(*Ctx) error
}

func (r Route) check() error {
	if !strings.HasPrefix(r.Path, "/") || r.Action == "" || r.ContentType == "" || r.Handler == nil {
		return fmt.Errorf("edge: route %s %s is not complete", r.Method, r.Path)
	}
	if r.Waits && r.Audience != Staff {
		return fmt.Errorf("edge: route %s %s: only a staff request waits for the vault", r.Method, r.Path)
	}
	// Closed sets: an unknown audience would be nobody's to check, an unknown
	// class of limits would be no limit.
	if !slices.Contains([]string{"GET", "POST"}, r.Method) || !slices.Contains([]Audience{Public, Holder, Staff, Partner, Newcomer}, r.Audience) ||
		!slices.Contains([]Rate{RateCode, RateSearch, RateSelf}, r.Rate) {
		return fmt.Errorf("edge: route %s %s has an unknown method, audience or rate class", r.Method, r.Path)
	}
	if (r.Method == "POST") != (r.BodyLimit > 0) {
		return fmt.Errorf("edge: route %s %s: a POST needs a body limit, a GET has none", r.Method, r.Path)
	}
	return nil
}

const (
	typeJSON   = "application/json; charset=utf-8"
	typePDF    = "application/pdf"
	typeText   = "text/plain; charset=utf-8"
	typeHTML   = "text/html; charset=utf-8"
	typeBinary = "application/octet-stream"
	bodySmall  = 8 << 10
)

// Routes is the whole surface of the web role.
func (s *Server) routes() []Route {
	get := func(path string, a Audience, action string, rate Rate, h func(*Ctx) error) Route {
		return Route{Method: "GET", Path: path, Audience: a, Action: action, Rate: rate, ContentType: typeJSON, Handler: h}
	}
	post := func(path string, a Audience, action string, rate Rate, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: a, Action: action, Rate: rate, ContentType: typeJSON, BodyLimit: bodySmall, Handler: h}
	}
	as := func(r Route, contentType string) Route { r.ContentType = contentType; return r }
	own := func(r Route) Route { r.Own = true; return r }
	waits := func(r Route) Route { r.Waits = true; return r }
	table := []Route{
		post("/api/v2/auth/public/generateOTP", Public, "code.request", RateCode, requestCode),
		post("/api/v2/auth/public/confirmOTP", Public, "code.confirm", RateCode, confirmCode(false)),
		post("/api/v2/auth/generateMobileOTP", Public, "code.request", RateCode, requestCode),
		post("/api/v2/auth/validateMobileOtp", Public, "code.confirm", RateCode, confirmCode(true)),
		get("/api/v2/admin/location/states", Public, "meta", RateSearch, listStates),
		get("/api/v2/admin/location/districts/{state_id}", Public, "meta", RateSearch, listDistricts),
		get("/api/v2/registration/beneficiary/idTypes", Public, "meta", RateSearch, listIDTypes),
		get("/api/v2/registration/beneficiary/genders", Public, "meta", RateSearch, listGenders),
		get("/api/v2/appointment/beneficiaries", Holder, "person.open", RateSelf, beneficiaries),
		post("/api/v2/registration/beneficiary/new", Holder, "person.enrol", RateSelf, newBeneficiary),
		post("/api/v2/registration/beneficiary/delete", Holder, "person.remove", RateSelf, deleteBeneficiary),
		post("/api/v2/appointment/schedule", Holder, "booking.book", RateSelf, schedule),
		post("/api/v2/appointment/cancel", Holder, "booking.cancel", RateSelf, cancel),
		as(get("/api/v2/appointment/appointmentslip/download", Holder, "booking.slip", RateSelf, slip), typePDF),
		as(get("/api/v2/registration/certificate/public/download", Holder, "person.certificate", RateSelf, certificate), typePDF),
		get("/api/v3/openings", Holder, "person.openings", RateSelf, openings),
		own(post("/api/v3/session/end", Holder, "session.end", RateSelf, endSession)),
		waits(post("/api/v2/vaccinator/beneficiaries/vaccinate", Staff, "staff.dose", RateSelf, vaccinate)),
		own(post("/api/v3/staff/sessions", Staff, "staff.session", RateSelf, openSession)),
		get("/api/v3/keys", Public, "keys", RateSearch, publicKeys),
		as(get("/ledger/{path...}", Public, "ledger", RateSearch, ledgerFile), typeBinary),
		as(get("/healthz", Public, "health", RateSearch, health), typeText),
		as(get("/{$}", Public, "home", RateSearch, home), typeHTML),
	}
	for k, name := range searches {
		table = append(table, get(searchPublic+name, Public, "search", RateSearch, search(searchKind(k))),
			get("/api/v2/appointment/sessions/"+name, Holder, "search", RateSearch, search(searchKind(k))))
	}
	table = append(table, smartRoutes()...)
	table = append(table, placeRoutes()...)
	table = append(table, bookingRoutes()...)
	table = append(table, revocationRoutes()...)
	table = append(table, doseRoutes()...)
	table = append(table, alertRoutes()...)
	table = append(table, emailRoutes()...)
	table = append(table, deviceRoutes()...)
	table = append(table, shareRoutes()...)
	table = append(table, leaveRoutes()...)
	table = append(table, partnerRoutes()...)
	table = append(table, cardRoutes()...)
	table = append(table, reportRoutes()...)
	table = append(table, secondRoutes()...)
	table = append(table, rosterRoutes()...)
	table = append(table, identityRoutes()...)
	table = append(table, glassRoutes()...)
	table = append(table, requestRoutes()...)
	table = append(table, exportRoutes()...)
	table = append(table, relinkRoutes()...)
	table = append(table, lookupRoutes()...)
	return table
}
