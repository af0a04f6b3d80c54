// GraphQL documents of notification settings.
import { REFUSAL } from "@ledgerbell/client/fragments";
import { graphql } from "@ledgerbell/client/graphql";

/** The fields of the member's contact. */
const CONTACT = graphql(`
  fragment LedgerbellContact on Contact @_unmask {
    id
    email
    emailStatus
    bounceMessage
    locale
    timezone
    version
  }
`);

/** Which alerts reach the member. */
const SETTINGS_FIELDS = graphql(`
  fragment LedgerbellSettings on NotificationSettings @_unmask {
    id
    version
    lowBalanceThreshold
    quietHours {
      start
      end
    }
    rows {
      kind
      title
      description
      group
      groupTitle
      cells {
        channel
        enabled
        locked
        isDefault
        source
        label
      }
    }
  }
`);

/** The member's settings, and the contact. */
export const SETTINGS = graphql(
  `
    query LedgerbellMySettings {
      viewer {
        member {
          id
          contact {
            ...LedgerbellContact
          }
          notificationSettings {
            ...LedgerbellSettings
          }
        }
      }
    }
  `,
  [CONTACT, SETTINGS_FIELDS],
);

/** Changes which alerts reach the member. */
export const SAVE_SETTINGS = graphql(
  `
    mutation LedgerbellSaveSettings($input: UpdateNotificationSettingsInput!) {
      updateNotificationSettings(input: $input) {
        notificationSettings {
          ...LedgerbellSettings
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [SETTINGS_FIELDS, REFUSAL],
);

/** Changes the member's contact. */
export const SAVE_CONTACT = graphql(
  `
    mutation LedgerbellSaveContact($input: UpdateContactInput!) {
      updateContact(input: $input) {
        contact {
          ...LedgerbellContact
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [CONTACT, REFUSAL],
);

/** Mails a code to the member's address. */
export const SEND_CODE = graphql(
  `
    mutation LedgerbellSendCode($input: SendContactVerificationInput!) {
      sendContactVerification(input: $input) {
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);

/** Verifies the address by the code. */
export const VERIFY = graphql(
  `
    mutation LedgerbellVerify($input: VerifyContactInput!) {
      verifyContact(input: $input) {
        contact {
          ...LedgerbellContact
        }
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [CONTACT, REFUSAL],
);

/** Sends a test alert. */
export const SEND_TEST = graphql(
  `
    mutation LedgerbellSendTest($input: SendTestNotificationInput!) {
      sendTestNotification(input: $input) {
        userErrors {
          ...LedgerbellRefusal
        }
      }
    }
  `,
  [REFUSAL],
);
