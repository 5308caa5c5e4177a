resource "azurerm_linux_web_app" "portal" {
  name                = "portal"
  resource_group_name = "identity"
  location            = "westeurope"
  service_plan_id     = "plan"

  site_config {
    http2_enabled = false
  }
}

resource "azurerm_mysql_server" "accounts" {
  name                          = "accounts"
  resource_group_name           = "identity"
  location                      = "westeurope"
  sku_name                      = "GP_Gen5_2"
  version                       = "8.0"
  ssl_enforcement_enabled       = false
  public_network_access_enabled = true
}

resource "azurerm_postgresql_server" "accounts" {
  name                          = "accounts"
  resource_group_name           = "identity"
  location                      = "westeurope"
  sku_name                      = "GP_Gen5_2"
  version                       = "11"
  ssl_enforcement_enabled       = false
  public_network_access_enabled = true
}

resource "azurerm_storage_container" "avatars" {
  name                  = "avatars"
  storage_account_name  = "identity"
  container_access_type = "blob"
}

resource "azurerm_linux_virtual_machine" "jump" {
  name                = "jump"
  resource_group_name = "identity"
  location            = "westeurope"
  size                = "Standard_B1s"
  admin_username      = "operator"
}

resource "azurerm_mssql_server" "ledger" {
  name                = "ledger"
  resource_group_name = "identity"
  location            = "westeurope"
  version             = "12.0"
  minimum_tls_version = "1.0"
}

resource "azurerm_storage_account" "identity" {
  name                     = "identity"
  resource_group_name      = "identity"
  location                 = "westeurope"
  account_tier             = "Standard"
  account_replication_type = "LRS"
}

resource "azurerm_redis_cache" "sessions" {
  name                = "sessions"
  resource_group_name = "identity"
  location            = "westeurope"
  capacity            = 1
  family              = "C"
  sku_name            = "Standard"
  minimum_tls_version = "1.0"
}

resource "azurerm_cosmosdb_account" "passkeys" {
  name                = "passkeys"
  resource_group_name = "identity"
  location            = "westeurope"
  offer_type          = "Standard"
  kind                = "GlobalDocumentDB"
}

resource "azurerm_key_vault" "signing" {
  name                     = "signing"
  resource_group_name      = "identity"
  location                 = "westeurope"
  sku_name                 = "standard"
  tenant_id                = "00000000-0000-0000-0000-000000000000"
  purge_protection_enabled = false
}

resource "azurerm_kubernetes_cluster" "relying_party" {
  name                = "relying-party"
  resource_group_name = "identity"
  location            = "westeurope"
  dns_prefix          = "rp"

  default_node_pool {
    name       = "default"
    node_count = 1
    vm_size    = "Standard_B2s"
  }

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled = true
  }
}

resource "azurerm_container_registry" "images" {
  name                = "images"
  resource_group_name = "identity"
  location            = "westeurope"
  sku                 = "Premium"
  admin_enabled       = true
}
