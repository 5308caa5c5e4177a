# Training specimen: every flaw is on purpose.
resource "aws_s3_bucket" "attestations" {
  bucket = "example-attestations"
  acl    = "public-read"
}

resource "aws_security_group" "rp" {
  name        = "relying-party"
  description = "relying party"

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_db_instance" "credentials" {
  identifier          = "credentials"
  engine              = "postgres"
  instance_class      = "db.t3.micro"
  allocated_storage   = 20
  publicly_accessible = true
  storage_encrypted   = false
  skip_final_snapshot = true
}

resource "aws_lb_listener" "signin" {
  load_balancer_arn = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/rp/0"
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup/rp/0"
  }
}
