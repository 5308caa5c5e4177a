"""True fixes of Checkov's Terraform checks: the attribute that each condition looks at, and its value.

The conditions were read from Checkov 3.3's own checks; benchmarks/verify_fixes.py runs Checkov before and
after every row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from jobs.datasets.fixes.edit.hcl import attribute_value, declares, resource_body, set_attribute
from jobs.datasets.fixes.fix_rule import FixRule

if TYPE_CHECKING:
    from tree_sitter import Node

_ON, _OFF = "true", "false"
_TLS12 = '"1.2"'
_WEB_APPS = "azurerm_app_service azurerm_linux_web_app azurerm_windows_web_app"
_CLUSTER = "google_container_cluster"


class _Row(NamedTuple):
    """A check, and the setting that ends it.

    Args:
        check: Checkov's identifier.
        kinds: Resource types, with blanks between.
        path: The attribute below its blocks; "+" before a block: one that is missing may be made, because
            the attribute is all that the block needs.
        value: As HCL writes it.
        also: A further setting (path, value) that the provider demands together with it.
        needs: What must stand in the resource already, since the provider refuses the setting without it:
            the name of an attribute or block and, where it matters, the attribute's value.
    """

    check: str
    kinds: str
    path: str
    value: str
    also: tuple[str, str] | None = None
    needs: tuple[str, str | None] | None = None


_ROWS = (
    _Row("CKV_AWS_3", "aws_ebs_volume", "encrypted", _ON),
    _Row("CKV_AWS_5", "aws_elasticsearch_domain aws_opensearch_domain", "+encrypt_at_rest.enabled", _ON),
    _Row(
        "CKV_AWS_6", "aws_elasticsearch_domain aws_opensearch_domain", "+node_to_node_encryption.enabled", _ON
    ),
    _Row("CKV_AWS_7", "aws_kms_key", "enable_key_rotation", _ON),
    _Row("CKV_AWS_9", "aws_iam_account_password_policy", "max_password_age", "90"),
    _Row("CKV_AWS_10", "aws_iam_account_password_policy", "minimum_password_length", "14"),
    _Row("CKV_AWS_11", "aws_iam_account_password_policy", "require_lowercase_characters", _ON),
    _Row("CKV_AWS_12", "aws_iam_account_password_policy", "require_numbers", _ON),
    _Row("CKV_AWS_13", "aws_iam_account_password_policy", "password_reuse_prevention", "24"),
    _Row("CKV_AWS_14", "aws_iam_account_password_policy", "require_symbols", _ON),
    _Row("CKV_AWS_15", "aws_iam_account_password_policy", "require_uppercase_characters", _ON),
    _Row("CKV_AWS_16", "aws_db_instance", "storage_encrypted", _ON),
    _Row("CKV_AWS_17", "aws_db_instance aws_rds_cluster_instance", "publicly_accessible", _OFF),
    _Row("CKV_AWS_20", "aws_s3_bucket aws_s3_bucket_acl", "acl", '"private"'),
    _Row("CKV_AWS_28", "aws_dynamodb_table", "+point_in_time_recovery.enabled", _ON),
    _Row("CKV_AWS_29", "aws_elasticache_replication_group", "at_rest_encryption_enabled", _ON),
    _Row("CKV_AWS_30", "aws_elasticache_replication_group", "transit_encryption_enabled", _ON),
    _Row("CKV_AWS_36", "aws_cloudtrail", "enable_log_file_validation", _ON),
    _Row(
        "CKV_AWS_39",
        "aws_eks_cluster",
        "vpc_config.endpoint_public_access",
        _OFF,
        also=("vpc_config.endpoint_private_access", _ON),
    ),
    _Row("CKV_AWS_42", "aws_efs_file_system", "encrypted", _ON),
    _Row("CKV_AWS_43", "aws_kinesis_stream", "encryption_type", '"KMS"', needs=("kms_key_id", None)),
    _Row("CKV_AWS_44", "aws_neptune_cluster", "storage_encrypted", _ON),
    _Row("CKV_AWS_50", "aws_lambda_function", "+tracing_config.mode", '"Active"'),
    _Row("CKV_AWS_51", "aws_ecr_repository", "image_tag_mutability", '"IMMUTABLE"'),
    _Row("CKV_AWS_53", "aws_s3_bucket_public_access_block", "block_public_acls", _ON),
    _Row("CKV_AWS_54", "aws_s3_bucket_public_access_block", "block_public_policy", _ON),
    _Row("CKV_AWS_55", "aws_s3_bucket_public_access_block", "ignore_public_acls", _ON),
    _Row("CKV_AWS_56", "aws_s3_bucket_public_access_block", "restrict_public_buckets", _ON),
    _Row("CKV_AWS_57", "aws_s3_bucket aws_s3_bucket_acl", "acl", '"private"'),
    _Row("CKV_AWS_64", "aws_redshift_cluster", "encrypted", _ON),
    _Row("CKV_AWS_67", "aws_cloudtrail", "is_multi_region_trail", _ON),
    _Row("CKV_AWS_69", "aws_mq_broker", "publicly_accessible", _OFF),
    _Row("CKV_AWS_73", "aws_api_gateway_stage", "xray_tracing_enabled", _ON),
    _Row("CKV_AWS_74", "aws_docdb_cluster", "storage_encrypted", _ON),
    _Row(
        "CKV_AWS_79",
        "aws_instance aws_launch_template aws_launch_configuration",
        "+metadata_options.http_tokens",
        '"required"',
    ),
    _Row(
        "CKV_AWS_83",
        "aws_elasticsearch_domain aws_opensearch_domain",
        "+domain_endpoint_options.enforce_https",
        _ON,
    ),
    _Row("CKV_AWS_87", "aws_redshift_cluster", "publicly_accessible", _OFF),
    _Row("CKV_AWS_88", "aws_instance", "associate_public_ip_address", _OFF),
    _Row("CKV_AWS_89", "aws_dms_replication_instance", "publicly_accessible", _OFF),
    _Row("CKV_AWS_96", "aws_rds_cluster", "storage_encrypted", _ON),
    _Row("CKV_AWS_118", "aws_db_instance", "monitoring_interval", "60", needs=("monitoring_role_arn", None)),
    _Row("CKV_AWS_126", "aws_instance", "monitoring", _ON),
    _Row("CKV_AWS_130", "aws_subnet", "map_public_ip_on_launch", _OFF),
    _Row("CKV_AWS_131", "aws_lb aws_alb", "drop_invalid_header_fields", _ON),
    _Row("CKV_AWS_135", "aws_instance", "ebs_optimized", _ON),
    _Row("CKV_AWS_136", "aws_ecr_repository", "+encryption_configuration.encryption_type", '"KMS"'),
    _Row("CKV_AWS_139", "aws_rds_cluster", "deletion_protection", _ON),
    _Row("CKV_AWS_150", "aws_lb aws_alb", "enable_deletion_protection", _ON),
    _Row("CKV_AWS_157", "aws_db_instance", "multi_az", _ON),
    _Row("CKV_AWS_161", "aws_db_instance", "iam_database_authentication_enabled", _ON),
    _Row("CKV_AWS_162", "aws_rds_cluster", "iam_database_authentication_enabled", _ON),
    _Row("CKV_AWS_163", "aws_ecr_repository", "+image_scanning_configuration.scan_on_push", _ON),
    _Row("CKV_AWS_226", "aws_db_instance aws_rds_cluster_instance", "auto_minor_version_upgrade", _ON),
    _Row(
        "CKV_AWS_228",
        "aws_elasticsearch_domain aws_opensearch_domain",
        "+domain_endpoint_options.tls_security_policy",
        '"Policy-Min-TLS-1-2-2019-07"',
    ),
    _Row("CKV_AWS_293", "aws_db_instance", "deletion_protection", _ON),
    _Row("CKV_AWS_313", "aws_rds_cluster", "copy_tags_to_snapshot", _ON),
    _Row("CKV_AWS_333", "aws_ecs_service", "network_configuration.assign_public_ip", _OFF),
    _Row("CKV_AWS_353", "aws_db_instance aws_rds_cluster_instance", "performance_insights_enabled", _ON),
    _Row("CKV2_AWS_60", "aws_db_instance", "copy_tags_to_snapshot", _ON),
    _Row("CKV_AZURE_14", _WEB_APPS, "https_only", _ON),
    _Row("CKV_AZURE_16", _WEB_APPS, "+identity.type", '"SystemAssigned"'),
    _Row("CKV_AZURE_18", _WEB_APPS, "+site_config.http2_enabled", _ON),
    _Row("CKV_AZURE_28", "azurerm_mysql_server", "ssl_enforcement_enabled", _ON),
    _Row("CKV_AZURE_29", "azurerm_postgresql_server", "ssl_enforcement_enabled", _ON),
    _Row("CKV_AZURE_34", "azurerm_storage_container", "container_access_type", '"private"'),
    _Row(
        "CKV_AZURE_50",
        "azurerm_linux_virtual_machine azurerm_windows_virtual_machine",
        "allow_extension_operations",
        _OFF,
    ),
    _Row("CKV_AZURE_52", "azurerm_mssql_server", "minimum_tls_version", _TLS12),
    _Row("CKV_AZURE_53", "azurerm_mysql_server", "public_network_access_enabled", _OFF),
    _Row("CKV_AZURE_59", "azurerm_storage_account", "public_network_access_enabled", _OFF),
    _Row("CKV_AZURE_68", "azurerm_postgresql_server", "public_network_access_enabled", _OFF),
    _Row("CKV_AZURE_78", _WEB_APPS, "+site_config.ftps_state", '"Disabled"'),
    _Row("CKV_AZURE_89", "azurerm_redis_cache", "public_network_access_enabled", _OFF),
    _Row("CKV_AZURE_101", "azurerm_cosmosdb_account", "public_network_access_enabled", _OFF),
    _Row("CKV_AZURE_110", "azurerm_key_vault", "purge_protection_enabled", _ON),
    _Row("CKV_AZURE_113", "azurerm_mssql_server", "public_network_access_enabled", _OFF),
    _Row("CKV_AZURE_115", "azurerm_kubernetes_cluster", "private_cluster_enabled", _ON),
    _Row("CKV_AZURE_137", "azurerm_container_registry", "admin_enabled", _OFF),
    _Row(
        "CKV_AZURE_139",
        "azurerm_container_registry",
        "public_network_access_enabled",
        _OFF,
        needs=("sku", '"Premium"'),
    ),
    _Row(
        "CKV_AZURE_140",
        "azurerm_cosmosdb_account",
        "local_authentication_disabled",
        _ON,
        needs=("kind", '"GlobalDocumentDB"'),
    ),
    _Row(
        "CKV_AZURE_141",
        "azurerm_kubernetes_cluster",
        "local_account_disabled",
        _ON,
        needs=("azure_active_directory_role_based_access_control", None),
    ),
    _Row("CKV_AZURE_148", "azurerm_redis_cache", "minimum_tls_version", _TLS12),
    _Row("CKV_AZURE_189", "azurerm_key_vault", "public_network_access_enabled", _OFF),
    _Row("CKV_AZURE_190", "azurerm_storage_account", "allow_nested_items_to_be_public", _OFF),
    _Row(
        "CKV_AZURE_222",
        "azurerm_linux_web_app azurerm_windows_web_app",
        "public_network_access_enabled",
        _OFF,
    ),
    _Row("CKV_GCP_7", _CLUSTER, "enable_legacy_abac", _OFF),
    _Row("CKV_GCP_9", "google_container_node_pool", "+management.auto_repair", _ON),
    _Row("CKV_GCP_10", "google_container_node_pool", "+management.auto_upgrade", _ON),
    _Row("CKV_GCP_12", _CLUSTER, "+network_policy.enabled", _ON),
    _Row("CKV_GCP_14", "google_sql_database_instance", "settings.+backup_configuration.enabled", _ON),
    _Row("CKV_GCP_16", "google_dns_managed_zone", "+dnssec_config.state", '"on"'),
    _Row("CKV_GCP_26", "google_compute_subnetwork", "+log_config.aggregation_interval", '"INTERVAL_5_SEC"'),
    _Row("CKV_GCP_27", "google_project", "auto_create_network", _OFF),
    _Row("CKV_GCP_29", "google_storage_bucket", "uniform_bucket_level_access", _ON),
    _Row("CKV_GCP_36", "google_compute_instance", "can_ip_forward", _OFF),
    _Row("CKV_GCP_39", "google_compute_instance", "+shielded_instance_config.enable_vtpm", _ON),
    _Row("CKV_GCP_61", _CLUSTER, "enable_intranode_visibility", _ON),
    _Row("CKV_GCP_71", _CLUSTER, "enable_shielded_nodes", _ON),
    _Row("CKV_GCP_74", "google_compute_subnetwork", "private_ip_google_access", _ON),
    _Row("CKV_GCP_78", "google_storage_bucket", "+versioning.enabled", _ON),
    _Row("CKV_GCP_95", "google_redis_instance", "auth_enabled", _ON),
    _Row("CKV_GCP_97", "google_redis_instance", "transit_encryption_mode", '"SERVER_AUTHENTICATION"'),
    _Row("CKV_GCP_114", "google_storage_bucket", "public_access_prevention", '"enforced"'),
    _Row("CKV_GCP_121", "google_bigquery_table", "deletion_protection", _ON),
)


def _setting(row: _Row) -> Callable[[str, str], str | None]:
    def apply(code: str, resource: str) -> str | None:
        fixed = code
        for path, value in _settings_of(row):
            body = resource_body(fixed, tuple(row.kinds.split()), resource)
            if body is None or not _allows(row, body, path):
                return None
            names = tuple(path.replace("+", "").split("."))
            changed = set_attribute(fixed, body, names, value, creates="+" in path)
            if changed is None:
                return None
            fixed = changed
        return fixed if fixed != code else None

    return apply


def _settings_of(row: _Row) -> tuple[tuple[str, str], ...]:
    own = (row.path, row.value)
    return (row.also, own) if row.also else (own,)


def _allows(row: _Row, body: Node, path: str) -> bool:
    if path == "acl" and attribute_value(body, "acl") is None:
        return False  # the access list stands in a resource of its own
    if row.needs is None:
        return True
    name, value = row.needs
    return attribute_value(body, name) == value if value else declares(body, name)


def _requirement(path: str, value: str) -> str:
    *blocks, name = path.replace("+", "").split(".")
    place = "".join(f" in the block {block}" for block in reversed(blocks))
    return f"{name} = {value}{place}"


def _fix_rule(row: _Row) -> FixRule:
    required = " and ".join(_requirement(*setting) for setting in _settings_of(row))
    return FixRule(required, "hcl", _setting(row))


TERRAFORM: dict[str, FixRule] = {row.check: _fix_rule(row) for row in _ROWS}
