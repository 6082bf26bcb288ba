# Every input out of its bounds is refused by its own validation: each variable of a run must fail. An input
# that is judged by another one is tried while that one is right. The bounds themselves are taken.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  vpc_id         = "vpc-0123456789abcdef0"
  subnet_ids     = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  old_table_name = "expressnext-crm"
  image_tag      = "0.1.0"
  api_token      = "0123456789abcdef"
}

run "wrong_values_are_refused_1" {
  command = plan
  variables {
    name                      = "a"                                                 # is too short
    vpc_id                    = "subnet-0123456789abcdef0"                          # is no vpc
    subnet_ids                = ["subnet-0123456789abcdef0"]                        # are one
    route_table_ids           = ["vpc-0123456789abcdef0"]                           # are no route tables
    client_security_group_ids = ["10.0.0.0/8"]                                      # are no groups
    old_table_name            = "ab"                                                # is too short
    kms_key_arn               = "arn:aws:kms:us-east-1:123456789012:alias/mine"     # is an alias
    tags                      = { for number in range(41) : "tag${number}" => "x" } # are too many
    image_tag                 = "latest"                                            # is latest
    cpu_architecture          = "ARM"                                               # is unknown
    settings                  = { AWS_REGION = "us-east-1" }                        # have a strange name
    api_token                 = "0123456789abcde"                                   # is too short
    api_token_version         = 0                                                   # is zero
    sync_tasks                = 4                                                   # are four
    sync_cpu                  = 100                                                 # is not fargates
    backfill_vcpu             = 3                                                   # is three
    backfill_attempts         = 0                                                   # are zero
    backfill_timeout_seconds  = 59                                                  # is too short
    log_retention_days        = 10                                                  # is not cloudwatchs
    alarm_topic_arns          = ["me@example.com"]                                  # are no topics
    throttled_requests        = 0                                                   # are zero
    headroom_alarm_seconds    = 59                                                  # are too few
    lag_alarm_seconds         = 0                                                   # are none
  }
  expect_failures = [
    var.name,
    var.vpc_id,
    var.subnet_ids,
    var.route_table_ids,
    var.client_security_group_ids,
    var.old_table_name,
    var.kms_key_arn,
    var.tags,
    var.image_tag,
    var.cpu_architecture,
    var.settings,
    var.api_token,
    var.api_token_version,
    var.sync_tasks,
    var.sync_cpu,
    var.backfill_vcpu,
    var.backfill_attempts,
    var.backfill_timeout_seconds,
    var.log_retention_days,
    var.alarm_topic_arns,
    var.throttled_requests,
    var.headroom_alarm_seconds,
    var.lag_alarm_seconds,
  ]
}

run "wrong_values_are_refused_2" {
  command = plan
  variables {
    name                     = "abcdefghijklmnopqrstuvwxy"                                                # is too long
    subnet_ids               = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef0"]                   # are twice the same
    control_table_name       = "my control"                                                               # has a space
    image_tag                = "a/b"                                                                      # has a slash
    settings                 = { TABLESPLIT_SEGMENTS = "" }                                               # have an empty value
    api_token_version        = 1.5                                                                        # is broken
    sync_tasks               = -1                                                                         # are negative
    backfill_memory          = 1024                                                                       # is too little
    backfill_max_vcpus       = 0                                                                          # are too few for a job
    backfill_attempts        = 11                                                                         # are eleven
    backfill_timeout_seconds = 1209601                                                                    # is too long
    alarm_topic_arns         = [for number in range(6) : "arn:aws:sns:us-east-1:123456789012:t${number}"] # are six
    throttled_requests       = 1000001                                                                    # are too many
    headroom_alarm_seconds   = 86401                                                                      # are more than a day
    lag_alarm_seconds        = 86401                                                                      # are more than a day
  }
  expect_failures = [
    var.name,
    var.subnet_ids,
    var.control_table_name,
    var.image_tag,
    var.settings,
    var.api_token_version,
    var.sync_tasks,
    var.backfill_memory,
    var.backfill_max_vcpus,
    var.backfill_attempts,
    var.backfill_timeout_seconds,
    var.alarm_topic_arns,
    var.throttled_requests,
    var.headroom_alarm_seconds,
    var.lag_alarm_seconds,
  ]
}

run "wrong_values_are_refused_3" {
  command = plan
  variables {
    name               = "1tablesplit"                       # begins with a digit
    control_table_name = "expressnext-crm"                   # is the old table
    settings           = { TABLESPLIT_API_TOKEN = "secret" } # have the token
    backfill_memory    = 9216                                # is too much
    backfill_max_vcpus = 10001                               # are too many
  }
  expect_failures = [
    var.name,
    var.control_table_name,
    var.settings,
    var.backfill_memory,
    var.backfill_max_vcpus,
  ]
}

run "wrong_values_are_refused_4" {
  command = plan
  variables {
    engine    = "KCL" # is in capitals
    v2_tables = {}    # are none
  }
  expect_failures = [
    var.engine,
    var.v2_tables,
  ]
}

run "wrong_values_are_refused_5" {
  command = plan
  variables {
    sync_memory = 1024                  # is too little
    v2_tables   = { LEADS_TABLE = "l" } # have a name that is too short
  }
  expect_failures = [
    var.sync_memory,
    var.v2_tables,
  ]
}

run "wrong_values_are_refused_6" {
  command = plan
  variables {
    sync_memory = 9216                # is too much
    v2_tables   = { leads = "leads" } # have no variable
  }
  expect_failures = [
    var.sync_memory,
    var.v2_tables,
  ]
}

run "wrong_values_are_refused_7" {
  command = plan
  variables {
    settings  = { TABLESPLIT_ENGINE = "kcl" }       # have the engine
    v2_tables = { LEADS_TABLE = "expressnext-crm" } # have the old tables name
  }
  expect_failures = [
    var.settings,
    var.v2_tables,
  ]
}

run "wrong_values_are_refused_8" {
  command = plan
  variables {
    v2_tables = { A_TABLE = "leads", B_TABLE = "leads" } # share a name
  }
  expect_failures = [
    var.v2_tables,
  ]
}

run "wrong_values_are_refused_9" {
  command = plan
  variables {
    kcl_application = "ab" # is too short
    engine          = "kcl"
    sync_tasks      = 33  # are too many
    sync_cpu        = 256 # is too little for java
  }
  expect_failures = [
    var.kcl_application,
    var.sync_tasks,
    var.sync_cpu,
  ]
}

run "wrong_values_are_refused_10" {
  command = plan
  variables {
    engine             = "kcl"
    settings           = { TABLESPLIT_KCL_HEAP_MB = "600" } # ask for more memory than there is
    control_table_name = "tablesplit-kcl-control"           # begins like kcls tables
  }
  expect_failures = [
    var.sync_memory,
    var.kcl_application,
  ]
}

run "wrong_values_are_refused_11" {
  command = plan
  variables {
    kcl_application      = "CRM"                         # is how the v2 tables begin
    streams_endpoint_url = "vpce-1-1.vpce.amazonaws.com" # has no scheme
  }
  expect_failures = [
    var.kcl_application,
    var.streams_endpoint_url,
  ]
}

run "wrong_values_are_refused_12" {
  command = plan
  variables {
    image                    = "registry.example.com/tablesplit:latest" # is latest
    cluster_arn              = "shared"                                 # is a name
    security_group_ids       = ["10.0.0.0/8"]                           # are no groups
    permissions_boundary_arn = "boundary"                               # is a name
    role_path                = "team"                                   # has no slashes
    log_group_prefix         = "/team/"                                 # ends with a slash
    interface_endpoints      = ["s3"]                                   # are called of nobody
    table_kms_key_arns       = ["alias/old"]                            # are aliases
    target_group_arns        = ["console"]                              # are names
  }
  expect_failures = [
    var.image,
    var.cluster_arn,
    var.security_group_ids,
    var.permissions_boundary_arn,
    var.role_path,
    var.log_group_prefix,
    var.interface_endpoints,
    var.table_kms_key_arns,
    var.target_group_arns,
  ]
}

run "wrong_values_are_refused_13" {
  command = plan
  variables {
    image_tag                 = null                     # is not there, nor is an image
    security_group_ids        = ["sg-0123456789abcdef0"] # are yours, which the module lets nobody into
    client_security_group_ids = ["sg-0123456789abcdef1"]
    interface_endpoints       = ["dynamodb-streams"] # is made, although there is one
    streams_endpoint_url      = "https://vpce-1-1.streams.dynamodb.us-east-1.vpce.amazonaws.com"
    target_group_arns         = [for number in range(6) : "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t${number}/0"] # are six
  }
  expect_failures = [
    var.image_tag,
    var.security_group_ids,
    var.streams_endpoint_url,
    var.target_group_arns,
  ]
}

run "values_at_the_lower_bounds_are_taken" {
  command = plan
  variables {
    name                     = "ab"
    control_table_name       = "ctl"
    v2_tables                = { A = "abc" }
    sync_tasks               = 0
    sync_cpu                 = 256
    sync_memory              = 512
    backfill_vcpu            = 0.25
    backfill_memory          = 512
    backfill_max_vcpus       = 1
    backfill_attempts        = 1
    backfill_timeout_seconds = 60
    log_retention_days       = 1
    throttled_requests       = 1
    headroom_alarm_seconds   = 60
    lag_alarm_seconds        = 1
  }
}

run "values_at_the_upper_bounds_are_taken" {
  command = plan
  variables {
    name                      = "abcdefghijklmnopqrstuvwx"
    sync_tasks                = 3
    sync_cpu                  = 2048
    sync_memory               = 16384
    backfill_vcpu             = 4
    backfill_memory           = 32768
    backfill_max_vcpus        = 10000
    backfill_attempts         = 10
    backfill_timeout_seconds  = 1209600
    log_retention_days        = 3653
    throttled_requests        = 1000000
    headroom_alarm_seconds    = 86400
    lag_alarm_seconds         = 86400
    client_security_group_ids = ["sg-0123456789abcdef0"]
    alarm_topic_arns          = [for number in range(5) : "arn:aws:sns:us-east-1:123456789012:t${number}"]
    tags                      = { for number in range(40) : "tag${number}" => "x" }
  }
}

run "values_at_the_bounds_of_the_kcl_engine_are_taken" {
  command = plan
  variables {
    engine          = "kcl"
    kcl_application = "kcl"
    settings        = { TABLESPLIT_KCL_HEAP_MB = "512" }
    sync_tasks      = 32
    sync_cpu        = 512
    sync_memory     = 2048
  }
}
