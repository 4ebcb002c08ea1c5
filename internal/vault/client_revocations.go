package vault

import "context"

// Revocations fetches the signed list of revoked certificates.
func (c *Client) Revocations(ctx context.Context) (RevocationList, error) {
	return call[Empty, RevocationList](ctx, c, MethodRevocations, Empty{})
}
