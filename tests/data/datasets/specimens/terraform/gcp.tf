resource "google_container_cluster" "relying_party" {
  name                  = "relying-party"
  location              = "europe-west3"
  initial_node_count    = 1
  enable_legacy_abac    = true
  enable_shielded_nodes = false
}

resource "google_container_node_pool" "workers" {
  name    = "workers"
  cluster = "relying-party"
}

resource "google_sql_database_instance" "accounts" {
  name             = "accounts"
  database_version = "POSTGRES_15"

  settings {
    tier = "db-f1-micro"
  }
}

resource "google_dns_managed_zone" "login" {
  name     = "login"
  dns_name = "login.example.com."
}

resource "google_compute_subnetwork" "services" {
  name          = "services"
  ip_cidr_range = "10.2.0.0/16"
  network       = "core"
}

resource "google_project" "identity" {
  name                = "identity"
  project_id          = "identity-example"
  auto_create_network = true
}

resource "google_storage_bucket" "metadata" {
  name     = "example-metadata"
  location = "EU"
}

resource "google_compute_instance" "bastion" {
  name           = "bastion"
  machine_type   = "e2-micro"
  zone           = "europe-west3-a"
  can_ip_forward = true

  boot_disk {
    initialize_params {
      image = "debian-12"
    }
  }

  network_interface {
    network = "core"
  }
}

resource "google_redis_instance" "sessions" {
  name           = "sessions"
  memory_size_gb = 1
}

resource "google_bigquery_table" "logins" {
  dataset_id          = "audit"
  table_id            = "logins"
  deletion_protection = false
}
