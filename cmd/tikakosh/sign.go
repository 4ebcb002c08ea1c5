package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"tikakosh/internal/id"
)

// dpop makes the DPoP proof (RFC 9449) of a request with the body's digest, as
// staff (ADR 1) and partners (ADR 11) sign. bearer, when there is one, is bound
// by its digest (section 4.2, ath).
func dpop(key json.RawMessage, method, url string, body []byte, bearer string, now time.Time) (string, error) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(key, &jwk); err != nil {
		return "", errors.New("the file holds no private key: it was enrolled with a public key alone, or is no key file")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk.Key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	claims := map[string]any{"jti": id.Secret(20), "htm": method, "htu": url, "iat": now.Unix(), "bh": base64.RawURLEncoding.EncodeToString(sum[:])}
	if bearer != "" {
		access := sha256.Sum256([]byte(bearer))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(access[:])
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// bodyOf reads a request's body: a file, - for standard input, nothing for "".
func bodyOf(file string) ([]byte, error) {
	switch file {
	case "":
		return nil, nil
	case "-":
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}
