"""The OpenAPI 3.1 document of `/v1`, made from routes, from schemas of what is taken, from shapes of answers."""
