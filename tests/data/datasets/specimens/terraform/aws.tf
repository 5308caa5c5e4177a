resource "aws_ebs_volume" "attachments" {
  availability_zone = "eu-central-1a"
  size              = 20
}

resource "aws_opensearch_domain" "audit" {
  domain_name    = "audit"
  engine_version = "OpenSearch_2.11"

  cluster_config {
    instance_count = 3
  }

  domain_endpoint_options {
    enforce_https       = false
    tls_security_policy = "Policy-Min-TLS-1-0-2019-07"
  }
}

resource "aws_kms_key" "challenge" {
  description         = "signs challenges"
  enable_key_rotation = false
}

resource "aws_iam_account_password_policy" "staff" {
  minimum_password_length      = 8
  require_lowercase_characters = false
  require_numbers              = false
  require_symbols              = false
  require_uppercase_characters = false
}

resource "aws_db_instance" "passkeys" {
  identifier          = "passkeys"
  engine              = "postgres"
  instance_class      = "db.t3.micro"
  allocated_storage   = 20
  monitoring_role_arn = "arn:aws:iam::000000000000:role/monitoring"
  publicly_accessible = true
  storage_encrypted   = false
}

resource "aws_s3_bucket" "metadata" {
  bucket = "example-metadata"
  acl    = "public-read-write"
}

resource "aws_dynamodb_table" "challenges" {
  name         = "challenges"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_elasticache_replication_group" "sessions" {
  replication_group_id = "sessions"
  description          = "session store"
  node_type            = "cache.t3.micro"
}

resource "aws_cloudtrail" "account" {
  name           = "account"
  s3_bucket_name = "example-trail"
}

resource "aws_eks_cluster" "relying_party" {
  name     = "relying-party"
  role_arn = "arn:aws:iam::000000000000:role/eks"

  vpc_config {
    subnet_ids             = ["subnet-0a", "subnet-0b"]
    endpoint_public_access = true
  }
}

resource "aws_efs_file_system" "uploads" {
  creation_token = "uploads"
}

resource "aws_kinesis_stream" "events" {
  name        = "events"
  shard_count = 1
  kms_key_id  = "alias/aws/kinesis"
}

resource "aws_neptune_cluster" "graph" {
  cluster_identifier = "graph"
  engine             = "neptune"
}

resource "aws_lambda_function" "verify" {
  function_name = "verify"
  role          = "arn:aws:iam::000000000000:role/lambda"
  handler       = "verify.handler"
  runtime       = "python3.12"
  filename      = "verify.zip"
}

resource "aws_ecr_repository" "gateway" {
  name                 = "gateway"
  image_tag_mutability = "MUTABLE"
}

resource "aws_s3_bucket_public_access_block" "metadata" {
  bucket                  = "example-metadata"
  block_public_acls       = false
  block_public_policy     = false
  ignore_public_acls      = false
  restrict_public_buckets = false
}

resource "aws_redshift_cluster" "reports" {
  cluster_identifier  = "reports"
  node_type           = "ra3.xlplus"
  encrypted           = false
  publicly_accessible = true
}

resource "aws_mq_broker" "mail" {
  broker_name         = "mail"
  engine_type         = "ActiveMQ"
  engine_version      = "5.18"
  host_instance_type  = "mq.t3.micro"
  publicly_accessible = true

  user {
    username = "mailer"
    password = var.broker_password
  }
}

resource "aws_api_gateway_stage" "production" {
  deployment_id = "deployment"
  rest_api_id   = "api"
  stage_name    = "production"
}

resource "aws_docdb_cluster" "profiles" {
  cluster_identifier = "profiles"
}

resource "aws_instance" "bastion" {
  ami                         = "ami-0000000000"
  instance_type               = "t3.micro"
  associate_public_ip_address = true
}

resource "aws_dms_replication_instance" "migration" {
  replication_instance_id    = "migration"
  replication_instance_class = "dms.t3.micro"
  publicly_accessible        = true
}

resource "aws_rds_cluster" "accounts" {
  cluster_identifier = "accounts"
  engine             = "aurora-postgresql"
}

resource "aws_subnet" "edge" {
  vpc_id                  = "vpc-0"
  cidr_block              = "10.0.1.0/24"
  map_public_ip_on_launch = true
}

resource "aws_lb" "front" {
  name               = "front"
  load_balancer_type = "application"
  subnets            = ["subnet-0a", "subnet-0b"]
}

resource "aws_ecs_service" "signin" {
  name            = "signin"
  task_definition = "signin:1"

  network_configuration {
    subnets          = ["subnet-0a"]
    assign_public_ip = true
  }
}
