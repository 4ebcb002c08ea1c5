package edge

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

// bearerOf takes the bearer from the Authorization header, never from a cookie
// or the address, and checks its signature so that garbage does not reach the
// vault. This is routing, not permission: the vault checks everything again.
func (s *Server) bearerOf(r *http.Request) (string, error) {
	bad := fault.New(fault.Unauthorized, "bearer", "no bearer")
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", bad
	}
	scheme, text, ok := strings.Cut(values[0], " ")
	text = strings.TrimSpace(text)
	if !ok || !strings.EqualFold(scheme, "Bearer") || text == "" || len(text) > 1024 {
		return "", bad
	}
	if ablate.Off(ablate.JWTAlg) || ablate.Off(ablate.VaultProof) {
		return text, nil
	}
	if err := s.checkBearer(text); err != nil {
		return "", err
	}
	return text, nil
}

// checkBearer verifies a compact JWS of the vault: ES256 only, under the vault's
// own key whatever key the header names, not expired.
func (s *Server) checkBearer(text string) error {
	now := s.cfg.Now().Unix()
	if s.verified.has(text, now) {
		return nil
	}
	bad := fault.New(fault.Unauthorized, "bearer", "no bearer")
	tok, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(tok.Signatures) != 1 || tok.Signatures[0].Protected.JSONWebKey != nil {
		return bad
	}
	keys, err := s.known()
	if err != nil {
		return err
	}
	payload, err := keys.verify(tok)
	if err != nil {
		return bad
	}
	var claims struct {
		Expiry int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Expiry <= now {
		return bad
	}
	s.verified.put(text, claims.Expiry)
	return nil
}
