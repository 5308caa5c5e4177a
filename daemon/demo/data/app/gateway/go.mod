module login.example.org/gateway

go 1.20

require (
	github.com/gin-gonic/gin v1.8.1
	github.com/golang-jwt/jwt/v4 v4.5.0
	golang.org/x/crypto v0.14.0
	golang.org/x/net v0.7.0
	golang.org/x/text v0.3.7
	google.golang.org/protobuf v1.31.0
	login.example.org/sectune-demo/cbor v1.1.0
)
