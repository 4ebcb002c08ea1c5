package pgtest

import (
	"database/sql"
	"net/url"
)

// Its is the URL of the database of the same name on s: of a standby, the copy.
func (s *Server) Its(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.Host = s.base.Host
	return u.String()
}

// Number asks s, as its administrator, in the database of the name in a URL, for one
// number.
func (s *Server) Number(t TB, text, query string) int {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("%v", err)
	}
	u.Host, u.User = s.base.Host, s.base.User
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
